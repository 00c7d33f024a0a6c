// The queue by keys or by dragging: every move shows the plan of the new order, which is saved by its own button.
"use strict";
import { keys } from "/static/board.js";

const section = () => document.getElementById("waiting");
const rows = () => [...section().querySelectorAll("tr[data-run]")];
const runs = () => rows().map((row) => row.dataset.run);
let at = -1;
let busy = false;

/** Go to a row: its link has the focus, so that Enter opens the run. */
function walk(to) {
  const all = rows();
  if (!all.length) return;
  at = Math.max(0, Math.min(all.length - 1, to));
  for (const row of all) row.removeAttribute("aria-current");
  all[at].setAttribute("aria-current", "true");
  all[at].scrollIntoView({ block: "nearest" });
  all[at].querySelector("a").focus({ preventScroll: true });
}

/** Show the plan of another order in the place of the present one. */
async function show(order, run) {
  if (busy) return;
  busy = true;
  try {
    const place = new URLSearchParams(location.search);
    place.set("order", order.join("+"));
    const address = `/queue?${place}`;
    const answer = await fetch(`${address}&part=1`);
    if (!answer.ok) return location.assign(address);
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("waiting");
    section().replaceWith(document.adoptNode(made));
    history.replaceState(null, "", address);
    walk(runs().indexOf(run));
  } finally {
    busy = false;
  }
}

/** Put a run before the place that another one has. */
function put(run, to) {
  const order = runs().filter((id) => id !== run);
  order.splice(to, 0, run);
  return show(order, run);
}

function move(by) {
  const run = runs()[at];
  const to = at + by;
  if (run && to >= 0 && to < runs().length) put(run, to);
}

keys({
  j: () => walk(at + 1),
  k: () => walk(at - 1),
  J: () => move(1),
  K: () => move(-1),
  w: () => section().querySelector("[data-save]")?.click(),
});

let dragged = "";
const over = (event) => (dragged ? event.target.closest("#waiting tr[data-run]") : null);
document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("#waiting tr[data-run]")?.dataset.run ?? "";
  event.dataTransfer.effectAllowed = "move";
});
document.addEventListener("dragover", (event) => over(event) && event.preventDefault());
document.addEventListener("drop", (event) => {
  const row = over(event);
  if (!row) return;
  event.preventDefault();
  put(dragged, runs().indexOf(row.dataset.run));
  dragged = "";
});
