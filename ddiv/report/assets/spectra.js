const { layers, numbers } = JSON.parse(one("#data").textContent);
const rows = layers.map((_, i) => one(`#layer-${i}`)), body = rows[0].parentElement;

// --- plots -----------------------------------------------------------------------------------------------------

const KINDS = ["#3a80c1", "#d3742a", "#1f8a70", "#a268b4", "#b8a02a", "#c2557a", "#5a9bb5", "#7b858e", "#8c6d46", "#6a7fd0"];
const { panels: PANELS, legend, axes: layout } = esd;
let drawn = 0;
function draw(slot, [traces, layout], chosen) {
  drawer.into(slot, { traces, layout }, chosen);
  root.dataset.plotsDrawn = ++drawn;
}

// --- one layer, under its row --------------------------------------------------------------------------------------

let open = null;
function close() {
  if (!open) return;
  open.detail.remove();
  delete open.row.dataset.open;
  one("button", open.row).ariaExpanded = "false";
  open = null;
}
function toggle(i, scroll = false) {
  const again = open?.row === rows[i];
  close();
  if (again && !scroll) return;
  const layer = layers[i], row = rows[i];
  const slots = PANELS.map(([title]) => {
    const slot = make("div", { className: "plot", role: "img", ariaLabel: `${title}: ${layer.name}` });
    return [slot, make("figure", {}, make("figcaption", { textContent: title }), slot)];
  });
  const facts = make("dl", { className: "pairs" }, ...layer.facts.map(([key, value]) =>
    make("div", {}, make("dt", { textContent: key }), make("dd", { textContent: show(value, false, 4) }))));
  const notes = layer.notes.length ? [make("ul", { className: "notes" }, ...layer.notes.map((textContent) => make("li", { textContent })))] : [];
  const cell = make("td", { colSpan: row.cells.length }, make("div", { className: "inside" }, legend(layer.figure), ...slots.map(([, figure]) => figure), ...notes,
    make("details", {}, make("summary", { textContent: "every number" }), facts)));
  const detail = make("tr", { className: "detail" }, cell);
  row.after(detail);
  row.dataset.open = "";
  row.hidden = false;
  one("button", row).ariaExpanded = "true";
  open = { row, detail };
  slots.forEach(([slot], k) => draw(slot, PANELS[k][1](layer.figure)));
  if (scroll) row.scrollIntoView({ block: "start" });
}
body.addEventListener("click", (event) => {
  const i = rows.indexOf(event.target.closest("tr"));
  if (i >= 0 && !getSelection().toString()) toggle(i);
});

// --- sorting and filtering -------------------------------------------------------------------------------------------

const value = (i, key) => key === "index" ? i : layers[i][key];
function sort(head) {
  const down = head.ariaSort === "ascending", key = head.dataset.by;
  all("[data-by]").forEach((other) => other.removeAttribute("aria-sort"));
  head.ariaSort = down ? "descending" : "ascending";
  const order = rows.map((_, i) => i).sort((a, b) => {
    const [x, y] = [value(a, key), value(b, key)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined) || a - b;  // what is not there: last
    return ((x > y) - (x < y)) * (down ? -1 : 1) || a - b;
  });
  body.append(...order.map((i) => rows[i]));
  if (open) open.row.after(open.detail);
}
for (const head of all("[data-by]")) one("button", head).addEventListener("click", () => sort(head));

function filter() {
  const words = one("#q").value.toLowerCase().split(/\s+/).filter(Boolean), kind = one("#kind").value, phase = one("#phase")?.value, sure = one("#sure").checked;
  let shown = 0;
  layers.forEach((layer, i) => {
    const keep = words.every((word) => layer.name.toLowerCase().includes(word)) && (!kind || layer.kind === kind)
      && (!phase || layer.phase === phase) && (!sure || layer.reliable);
    rows[i].hidden = !keep;
    shown += keep;
  });
  if (open?.row.hidden) close();
  one("#shown").textContent = shown === layers.length ? `${shown} layers` : `${shown} of ${layers.length} layers`;
  one("#nothing").hidden = shown > 0;
}
const form = one("form[role=search]");
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", filter);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
  event.preventDefault();
  one("#q").focus();
});

// --- along the depth -------------------------------------------------------------------------------------------------------

const pick = one("#pick select"), overview = one("#overview");
function along() {
  const key = pick.value, [head] = numbers.find(([, name]) => name === key);
  const kinds = [...new Set(layers.map((layer) => layer.kind))];
  const hollow = (i) => key === "alpha" && !layers[i].reliable;
  const traces = kinds.flatMap((kind, k) => [false, true].map((open) => {  // two traces: a legend shows a trace's first symbol
    const mine = layers.map((_, i) => i).filter((i) => layers[i].kind === kind && layers[i][key] !== undefined && hollow(i) === open);
    const color = KINDS[k % KINDS.length];
    return { type: "scatter", mode: "markers", name: plain(kind), legendgroup: `${k}`, showlegend: !open, hoverinfo: "text", customdata: mine,
      x: mine.length ? mine : [null], y: mine.length ? mine.map((i) => layers[i][key]) : [null],
      text: mine.map((i) => `${plain(layers[i].name)}\n${plain(head)} ${show(layers[i][key], false, 4)}${layers[i].told.map((why) => `\n† ${plain(why)}`).join("")}`),
      marker: { size: 8, color, symbol: open ? "circle-open" : "circle", line: { width: open ? 1.6 : 0, color } } };
  }));
  const values = layers.map((layer) => layer[key]).filter((v) => v > 0), wide = values.length && Math.max(...values) > 100 * Math.min(...values);
  draw(overview, [traces, { ...layout("layer, in the order of the parameters", plain(head), { y: { type: wide ? "log" : "linear" } }), showlegend: true }], (i) => toggle(i, true));
}
pick.addEventListener("change", along);
one("#pick").addEventListener("submit", (event) => event.preventDefault());

function arrive() {
  const i = rows.findIndex((row) => `#${row.id}` === location.hash);
  if (i >= 0) toggle(i, true);
}
addEventListener("hashchange", arrive);
root.dataset.plotsDrawn = 0;
along();
arrive();
if (!open) toggle(0);
root.dataset.readyMs = Math.round(performance.now());
