const show = (x) => typeof x === "number" ? String(Number(x.toPrecision(4))).replace("-", "−") : String(x ?? "—");
const { layers, numbers } = JSON.parse(one("#data").textContent);
const rows = layers.map((_, i) => one(`#layer-${i}`)), body = rows[0].parentElement;

// The 4.8 MB of plotly.js are text until the first plot is drawn.
const plotly = () => {
  if (!window.Plotly) document.head.append(make("script", { textContent: one("#plotly").textContent }));
  return window.Plotly;
};

// --- plots -----------------------------------------------------------------------------------------------------

const DATA = "#3a80c1", FIT = "#d3742a", RANDOM = "#8a939b";  // readable on white and on near-black
const KINDS = ["#3a80c1", "#d3742a", "#1f8a70", "#a268b4", "#b8a02a", "#c2557a", "#5a9bb5", "#7b858e", "#8c6d46", "#6a7fd0"];

function layout(x, y, more = {}) {
  const axis = (text, extra) => ({
    title: { text, standoff: 6, font: { size: 12 } }, zeroline: false, showline: true, ticks: "outside", ticklen: 4, automargin: true,
    nticks: 6, exponentformat: "power", ...extra,
  });
  return {
    margin: { l: 48, r: 8, t: 8, b: 40 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", bargap: 0, barmode: "overlay",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12 }, hovermode: "closest", hoverlabel: { align: "left", namelength: 0 },
    dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false, shapes: more.shapes,
    showlegend: false, legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 11 } },
    xaxis: axis(x, { showgrid: false, ...more.x }), yaxis: axis(y, more.y),
  };
}
const upright = (x, dash) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, layer: "below", line: { width: 1.2, dash, color: FIT } });
const line = (x, y, color, more = {}) => ({ type: "scatter", mode: "lines", x, y, line: { color, width: 2 }, hoverinfo: "x+y", ...more });

function linear({ linear: h, mp, spikes = [], random, beyond, largest }) {
  const x = h.y.map((_, i) => h.start + (i + .5) * h.width), end = h.start + h.y.length * h.width, most = Math.max(...h.y);
  const traces = [{ type: "bar", x, y: h.y, width: h.width, marker: { color: DATA, opacity: .55 }, hoverinfo: "x+y" }];
  if (random) traces.push(line(x, random.linear, RANDOM, { line: { color: RANDOM, width: 1.5, shape: "hvh" } }));
  if (mp) traces.push(line(mp.x, mp.y, FIT, { line: { color: FIT, width: 2, dash: mp.accepted ? "solid" : "dash" } }));
  const low = -.045 * most;
  if (spikes.length) traces.push({ type: "scatter", mode: "markers", x: spikes, y: spikes.map(() => low / 2), hoverinfo: "x",
    marker: { symbol: "line-ns-open", size: 8, color: FIT, line: { width: 1.3 } } });
  // The law may be infinite at 0 (a square matrix), or far too narrow (no bulk): it may not flatten the bars.
  const top = 1.1 * Math.min(2 * most, Math.max(most, ...(mp?.y ?? [])));
  return [traces, layout(beyond ? `eigenvalue (${beyond} further right, up to ${show(largest)})` : "eigenvalue", "density", {
    x: { range: [h.start, end] }, y: { range: [spikes.length ? low : 0, top] }, shapes: mp ? mp.edges.map((at) => upright(at, "dash")) : [] })];
}

function logAxis(values) {  // ticks at powers of ten, and between them where there are few
  const ends = [Math.min(...values), Math.max(...values)].map(Math.log10), room = .04 * (ends[1] - ends[0]) + .02;
  const decades = ends[1] - ends[0], dtick = decades > 2.2 ? Math.ceil(decades / 5) : decades > .7 ? "D2" : "D1";
  return { type: "log", range: [ends[0] - room, ends[1] + room], dtick };
}
function logarithmic(f, key, ylabel, fitted) {
  const curves = [[f.random?.[key], RANDOM, 3.5], [f[key], DATA, 5]].filter(([curve]) => curve?.x.length);
  const traces = curves.map(([{ x, y }, color, size]) => line(x, y, color, { mode: "markers", marker: { size, color } }));
  // Square random matrices have eigenvalues down to 0, which say little and would take most of the axis.
  const seen = curves.flatMap(([{ x, y }]) => x.map((at, i) => [at, y[i]])).filter(([at, y]) => at > f.largest * 1e-4 && y > 0);
  const figure = layout(f.zeros ? `eigenvalue (${f.zeros} are zero)` : "eigenvalue", ylabel);
  if (f.fit) {
    const { xmin } = f.fit, ends = [xmin, Math.max(f.largest, xmin)], heights = ends.map((x) => fitted(f.fit, x));
    traces.push(line(ends, heights, FIT));
    figure.shapes = [upright(xmin, "dot")];
    seen.push([ends[0], heights[0]]);
  }
  if (seen.length) [["xaxis", 0], ["yaxis", 1]].forEach(([axis, k]) => Object.assign(figure[axis], logAxis(seen.map((point) => point[k]))));
  return [traces, figure];
}
const PANELS = [
  ["Bulk, linear", linear],
  ["Density, logarithmic", (f) => logarithmic(f, "log", "density", ({ alpha, xmin, share }, x) => share * (alpha - 1) / xmin * (x / xmin) ** -alpha)],
  ["Share at least as large", (f) => logarithmic(f, "ccdf", "share of eigenvalues", ({ alpha, xmin, share }, x) => share * (x / xmin) ** (1 - alpha))],
];
function legend({ mp, spikes, fit, random }) {  // one for the three plots
  const sign = (text, color) => make("b", { textContent: `${text} `, style: `color:${color}` });
  const entries = [["■", DATA, "eigenvalues"]];
  if (random) entries.push(["—", RANDOM, "the same weights in random order"]);
  if (mp) entries.push([mp.accepted ? "—" : "- -", FIT, `Marchenko-Pastur law${mp.accepted ? "" : " (not accepted)"}, its edges dashed`]);
  if (spikes?.length) entries.push(["|", FIT, "spikes"]);
  if (fit) entries.push(["\u2572", FIT, `power law from xmin (dotted), alpha ${fit.alpha.toFixed(2)}`]);
  return make("p", { className: "key" }, ...entries.map(([text, color, says]) => make("span", {}, sign(text, color), says)));
}
let drawn = 0;
function draw(slot, [traces, figure]) {
  plotly().newPlot(slot, traces, figure, { displayModeBar: false, displaylogo: false, responsive: true });
  root.dataset.plotsDrawn = ++drawn;
}

// --- one layer, under its row --------------------------------------------------------------------------------------

let open = null;
function close() {
  if (!open) return;
  all(".plot", open.detail).forEach((slot) => window.Plotly?.purge(slot));
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
    make("div", {}, make("dt", { textContent: key }), make("dd", { textContent: show(value) }))));
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
      text: mine.map((i) => `<b>${plain(layers[i].name)}</b><br>${plain(head)} ${show(layers[i][key])}${layers[i].told.map((why) => `<br>† ${plain(why)}`).join("")}`),
      marker: { size: 8, color, symbol: open ? "circle-open" : "circle", line: { width: open ? 1.6 : 0, color } } };
  }));
  const values = layers.map((layer) => layer[key]).filter((v) => v > 0), wide = values.length && Math.max(...values) > 100 * Math.min(...values);
  window.Plotly?.purge(overview);
  draw(overview, [traces, { ...layout("layer, in the order of the parameters", plain(head), { y: { type: wide ? "log" : "linear" } }), showlegend: true, margin: { l: 48, r: 8, t: 30, b: 40 } }]);
  overview.on("plotly_click", ({ points }) => toggle(points[0].customdata, true));
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
