// Curves that grow while a run trains. One stream a tab; a hidden tab has none.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const KINDS = [["macro_f1"], ["train_loss", "held_loss"]];
const boxes = new Map();
const cursor = new Map();
let stream = null;

function add(parent, name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  parent.append(made);
  return made;
}

/** Draw the curves of a run: a chart for each kind of number, a line for each fold (or for each number of one fold). */
function draw(box) {
  const folds = [...box.folds.values()].filter((rows) => rows.length);
  const target = box.place;
  target.replaceChildren();
  for (const keys of KINDS) {
    const lines = folds.flatMap((rows) => keys.map((key) => rows.filter((r) => Number.isFinite(r[key])).map((r) => [r.epoch, r[key]])));
    const shown = lines.filter((line) => line.length);
    if (!shown.length) continue;
    const flat = shown.flat();
    const [x1, y0, y1] = [Math.max(1, ...flat.map((p) => p[0])), Math.min(...flat.map((p) => p[1])), Math.max(...flat.map((p) => p[1]))];
    const x = (v) => 34 + (v / x1) * 256;
    const y = (v) => 104 - ((v - y0) / (y1 - y0 || 1)) * 84;
    const chart = add(target, "svg", { viewBox: "0 0 300 124", class: "chart live", role: "img", "aria-label": keys.join(", ") });
    add(chart, "text", { x: 34, y: 12, class: "muted tiny" }, keys.join(" · ").replaceAll("_", " "));
    for (const v of [y0, y1]) {
      add(chart, "line", { x1: 34, x2: 290, y1: y(v), y2: y(v), class: "grid" });
      add(chart, "text", { x: 30, y: y(v) + 3, class: "muted tiny", "text-anchor": "end" }, v.toPrecision(2));
    }
    add(chart, "text", { x: 290, y: 120, class: "muted tiny", "text-anchor": "end" }, String(x1));
    shown.forEach((line, k) => {
      const step = Math.max(1, Math.floor(line.length / 600));
      const points = line.filter((_, i) => i % step === 0 || i === line.length - 1);
      add(chart, "polyline", { points: points.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" "), class: `line l${k % 5}` });
    });
  }
  const last = folds.map((rows) => rows[rows.length - 1].epoch + 1);
  const count = box.element.querySelector("[data-epochs]");
  if (count && last.length) count.textContent = last.join(" · ");
}

async function fill(box) {
  const found = await (await fetch(`/live/${box.run}`)).json();
  for (const [fold, { rows, at }] of Object.entries(found.folds)) {
    box.folds.set(Number(fold), rows);
    cursor.set(`${box.run}:${fold}`, at);
  }
  draw(box);
}

function listen() {
  if (stream || document.hidden) return;
  const place = new URLSearchParams();
  for (const run of boxes.keys()) if (document.querySelector("[data-live-only]")) place.append("run", run);
  place.set("cursor", [...cursor].map(([key, at]) => `${key}:${at}`).join(" "));
  stream = new EventSource(`/live?${place}`);
  stream.addEventListener("epochs", (event) => {
    const { run, fold, at, rows } = JSON.parse(event.data);
    cursor.set(`${run}:${fold}`, at);
    const box = boxes.get(run);
    if (!box) return;
    const had = box.folds.get(fold) ?? [];
    // An epoch that was done again after a resume takes the place of the first.
    const first = rows[0].epoch;
    box.folds.set(fold, [...had.filter((r) => r.epoch < first), ...rows]);
    draw(box);
  });
  // A run that began or ended changes what the page is made of.
  stream.addEventListener("state", () => location.reload());
  stream.onerror = () => {
    stop();
    setTimeout(listen, 3000);
  };
}

function stop() {
  stream?.close();
  stream = null;
}

for (const element of document.querySelectorAll("[data-live]"))
  boxes.set(element.dataset.live, { run: element.dataset.live, element, place: element.querySelector("[data-curves]"), folds: new Map() });
await Promise.all([...boxes.values()].map(fill));
listen();
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
addEventListener("pagehide", stop);
