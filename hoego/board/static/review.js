// The review by keys: every answer is one request, and the next suspect's photos are there before it is asked for.
"use strict";
import { change, keys, say } from "/static/board.js";

let busy = false;

const suspect = () => document.getElementById("suspect");

/** Load the photos of the next suspects, so that they show at once. */
function preload() {
  for (const address of suspect().dataset.preload.split(" ")) if (address) new Image().src = address;
}

/** The field in which a class is found by its name, where there are more classes than digits. */
const typed = () => suspect().querySelector("[data-typed]");

/** The classes that begin with what was typed, else those that hold it. */
function matching(text) {
  const all = [...suspect().querySelectorAll("button[data-class]")];
  const wanted = text.trim().toLowerCase();
  const first = all.filter((button) => button.value.toLowerCase().startsWith(wanted));
  return first.length ? first : all.filter((button) => button.value.toLowerCase().includes(wanted));
}

function narrow() {
  const shown = new Set(matching(typed().value));
  for (const button of suspect().querySelectorAll("button[data-class]")) button.hidden = !shown.has(button);
}

/** Show what only the script can use. */
function ready() {
  if (typed()) typed().closest("label").hidden = false;
  preload();
}

/** Show the suspect that an address names in the place of the present one. */
async function show(address) {
  const answer = await fetch(`${address}&part=1`);
  if (!answer.ok) return location.assign(address);
  const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("suspect");
  suspect().replaceWith(document.adoptNode(made));
  history.replaceState(null, "", address);
  ready();
}

async function once(act) {
  if (busy) return;
  busy = true;
  try {
    await act();
  } catch (problem) {
    say([problem.message, problem.found?.remedy].filter(Boolean).join(" "), true);
    if (problem.status === 409) await show(`/review?run=${run()}&at=${suspect().dataset.suspect}`);
  } finally {
    busy = false;
  }
}

const run = () => new URLSearchParams(location.search).get("run");

/** Send a form, as its button would. */
const send = (form, button) =>
  once(async () => {
    const fields = Object.fromEntries(new FormData(form));
    if (button.name) fields[button.name] = button.value;
    await show((await change(form.getAttribute("action"), fields)).to);
  });

document.addEventListener("submit", (event) => {
  if (!event.target.closest("#suspect")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  // Enter on a button or a link that was reached by Tab presses that one; the list of reasons keeps its own keys.
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  if (event.target === typed()) {
    const [found] = matching(typed().value);
    if (event.key === "Enter" && found && typed().value.trim()) send(found.form, found);
    if (event.key === "Escape") {
      typed().value = "";
      narrow();
      typed().blur();
    }
    if (event.key === "Enter" || event.key === "Escape") event.preventDefault();
    return;
  }
  if (event.target.closest("select, input, textarea")) return;
  if (event.key === "/" && typed()) {
    event.preventDefault();
    typed().focus();
    return;
  }
  const button = suspect().querySelector(`[data-press="${CSS.escape(event.key)}"]`);
  const reasons = suspect().querySelector("select[name=reason]");
  if (button) {
    event.preventDefault();
    if (button.matches("a")) once(() => show(button.getAttribute("href")));
    else send(button.form, button);
  } else if (reasons && /^[a-z]$/.test(event.key) && [...reasons.options].some((o) => o.value === event.key)) {
    event.preventDefault();
    reasons.value = reasons.value === event.key ? "" : event.key;
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("#suspect a[data-press]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  once(() => show(link.getAttribute("href")));
});

keys({
  "?": () => {
    const help = document.getElementById("keys");
    help.open = !help.open;
    if (help.open) help.scrollIntoView({ block: "nearest" });
  },
});
document.addEventListener("input", (event) => event.target === typed() && narrow());
for (const link of document.querySelectorAll("[data-help]"))
  link.addEventListener("click", () => (document.getElementById("keys").open = true));
ready();
