// The drop zone of the card: send a photo, show what is said of it.
const zone = document.getElementById("drop");
const input = zone.querySelector("input[type=file]");
const token = zone.querySelector("input[type=password]");
const out = document.getElementById("answer");

function row(cells, tag) {
  const tr = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement(tag || "td");
    cell.textContent = text;
    tr.append(cell);
  }
  return tr;
}

function show(answer) {
  const table = document.createElement("table");
  table.append(row(["attribute", "answer", "probability", "set"], "th"));
  for (const [name, said] of Object.entries(answer.attributes)) {
    table.append(row([name, said.label, said.probability.toFixed(3), (said.set || []).join(", ")]));
  }
  const notes = document.createElement("p");
  notes.textContent = [
    answer.abstain ? "Withheld: the promise does not hold for this photo." : "",
    answer.seen ? "This photo was in training: the answer says nothing about new ones." : "",
  ].filter(Boolean).join(" ");
  out.replaceChildren(table, notes);
}

async function send(file) {
  out.textContent = "…";
  const headers = {"content-type": "application/octet-stream"};
  if (token && token.value) headers.authorization = "Bearer " + token.value;
  try {
    const response = await fetch("/predict", {method: "POST", headers, body: file});
    const said = await response.json();
    if (response.ok) show(said.answers[0]);
    else out.textContent = said.error;
  } catch (error) {
    out.textContent = "The service does not answer.";
  }
}

zone.addEventListener("dragover", (event) => event.preventDefault());
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
});
input.addEventListener("change", () => { if (input.files.length) send(input.files[0]); });
