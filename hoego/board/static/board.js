// What every page of the board does beside its links and forms. Without it the pages read the same.
"use strict";

/** Say something for a moment at the foot of the page. */
export function say(text, bad = false) {
  const old = document.querySelector(".toast");
  if (old) old.remove();
  const box = document.createElement("div");
  box.className = bad ? "toast bad" : "toast";
  box.setAttribute("role", "status");
  box.textContent = text;
  document.body.append(box);
  setTimeout(() => box.remove(), 5000);
}

/** Ask the board to change something; the answer is what it did. Throws an Error with the board's words. */
export async function change(address, fields) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(fields),
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(found.error || answer.statusText), { status: answer.status, found });
  return found;
}

/** The keys of a page: key -> function. Keys with a modifier, and those typed into a field, stay the browser's. */
export function keys(table) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]")) return;
    const act = table[event.key];
    if (act) {
      event.preventDefault();
      act(event);
    }
  });
}

/** A table whose rows are chosen: count them, choose a span with shift, walk with j and k, choose with x. */
function choosing(form) {
  const boxes = [...form.querySelectorAll("input[type=checkbox][name=run]")];
  const tools = form.querySelector(".chosen");
  const count = form.querySelector("[data-count]");
  let last = -1;
  let at = -1;
  const show = () => {
    const n = boxes.filter((box) => box.checked).length;
    if (tools) tools.hidden = !n;
    if (count) count.textContent = n ? String(n) : "";
  };
  const walk = (to) => {
    at = Math.max(0, Math.min(boxes.length - 1, to));
    for (const row of form.querySelectorAll("tr[aria-current]")) row.removeAttribute("aria-current");
    const row = boxes[at].closest("tr");
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
    row.querySelector("a").focus({ preventScroll: true });
  };
  form.addEventListener("click", (event) => {
    const k = boxes.indexOf(event.target);
    if (k < 0) return;
    if (event.shiftKey && last >= 0)
      for (let i = Math.min(k, last); i <= Math.max(k, last); i++) boxes[i].checked = event.target.checked;
    last = k;
  });
  form.addEventListener("change", show);
  if (boxes.length)
    keys({
      j: () => walk(at + 1),
      k: () => walk(at - 1),
      x: () => {
        if (at < 0) walk(0);
        boxes[at].checked = !boxes[at].checked;
        show();
      },
    });
  show();
}

for (const form of document.querySelectorAll("form[data-choose]")) choosing(form);
for (const field of document.querySelectorAll("[data-key]"))
  keys({ [field.dataset.key]: () => (field.matches("a, button") ? field.click() : field.focus()) });
for (const form of document.querySelectorAll("form.filter"))
  form.addEventListener("submit", () => {
    // Fields that say nothing stay out of the address.
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });

// Heat maps on demand: the link shows the map in the photo's place, and the photo again.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-heat] figcaption a");
  if (!link || event.ctrlKey || event.metaKey) return;
  const picture = link.closest("figure").querySelector("img");
  event.preventDefault();
  picture.dataset.photo ||= picture.src;
  const shown = picture.src === picture.dataset.photo;
  picture.onerror = () => {
    picture.onerror = null;
    picture.src = picture.dataset.photo;
    location.assign(link.href); // its page says why there is no map
  };
  picture.src = shown ? link.href : picture.dataset.photo;
});
