// Spectral densities, on both pages: curves in (report/spectra.py, `figure`), traces and layout for draw.js out.
const esd = (() => {
const DATA = "#3a80c1", FIT = "#d3742a", RANDOM = "#8a939b";  // readable on white and on near-black

function axes(x, y, more = {}) {
  const axis = (text, extra) => ({
    title: { text }, nticks: 6, ...extra,
  });
  return {
    shapes: more.shapes, showlegend: false,
    xaxis: axis(x, { showgrid: false, ...more.x }), yaxis: axis(y, more.y),
  };
}
const upright = (x, dash) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, layer: "below", line: { width: 1.2, dash, color: FIT } });
const line = (x, y, color, more = {}) => ({ type: "scatter", mode: "lines", x, y, line: { color, width: 2 }, hoverinfo: "x+y", ...more });

const density = ({ alpha, xmin, share }, x) => share * (alpha - 1) / xmin * (x / xmin) ** -alpha;
function linear({ linear: h, mp, spikes = [], fit, random, beyond, largest }) {
  const x = h.y.map((_, i) => h.start + (i + .5) * h.width), end = h.start + h.y.length * h.width, most = Math.max(...h.y);
  const traces = [{ type: "bar", x, y: h.y, width: h.width, hoverinfo: "x+y",
    marker: { color: x.map((at) => fit && at + h.width / 2 > fit.xmin ? FIT : DATA), opacity: .55 } }];
  if (random) traces.push(line(x, random.linear, RANDOM, { line: { color: RANDOM, width: 1.5, shape: "hvh" } }));
  if (mp) traces.push(line(mp.x, mp.y, FIT, { line: { color: FIT, width: 2, dash: mp.accepted ? "solid" : "dash" } }));
  if (fit && fit.xmin < end) {  // where the law begins, and the law as far as the frame goes
    const at = Array.from({ length: 40 }, (_, i) => fit.xmin + (end - fit.xmin) * i / 39);
    traces.push(line(at, at.map((v) => density(fit, v)), FIT, { line: { color: FIT, width: 1.5, dash: "dot" } }));
  }
  const low = -.045 * most;
  if (spikes.length) traces.push({ type: "scatter", mode: "markers", x: spikes, y: spikes.map(() => low / 2), hoverinfo: "x",
    marker: { symbol: "line-ns-open", size: 8, color: FIT, line: { width: 1.3 } } });
  // The law may be infinite at 0 (a square matrix), or far too narrow (no bulk): it may not flatten the bars.
  const top = 1.1 * Math.min(2 * most, Math.max(most, ...(mp?.y ?? [])));
  return [traces, axes(beyond ? `eigenvalue (${beyond} further right, up to ${show(largest)})` : "eigenvalue", "density", {
    x: { range: [h.start, end] }, y: { range: [spikes.length ? low : 0, top] }, shapes: [...(mp?.edges ?? []).map((at) => upright(at, "dash")), ...(fit ? [upright(fit.xmin, "dot")] : [])] })];
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
  const figure = axes(f.zeros ? `eigenvalue (${f.zeros} are zero)` : "eigenvalue", ylabel);
  if (f.fit) {
    const { xmin } = f.fit, ends = [xmin, Math.max(f.largest, xmin)], heights = ends.map((x) => fitted(f.fit, x));
    traces.push(line(ends, heights, FIT));
    figure.shapes = [upright(xmin, "dot")];
    seen.push([ends[0], heights[0]]);
  }
  if (seen.length) [["xaxis", 0], ["yaxis", 1]].forEach(([axis, k]) => Object.assign(figure[axis], logAxis(seen.map((point) => point[k]))));
  return [traces, figure];
}
const panels = [
  ["Bulk, linear", linear],
  ["Density, logarithmic", (f) => logarithmic(f, "log", "density", density)],
  ["Share at least as large", (f) => logarithmic(f, "ccdf", "share of eigenvalues", ({ alpha, xmin, share }, x) => share * (x / xmin) ** (1 - alpha))],
];
function legend({ mp, spikes, fit, random }) {  // one for the three plots
  const sign = (text, color) => make("b", { textContent: `${text} `, style: `color:${color}` });
  const entries = [["■", DATA, fit ? "eigenvalues: bulk" : "eigenvalues"], ...(fit ? [["■", FIT, "tail, from xmin (dotted) on"]] : [])];
  if (random) entries.push(["—", RANDOM, "the same weights in random order"]);
  if (mp) entries.push([mp.accepted ? "—" : "- -", FIT, `Marchenko-Pastur law${mp.accepted ? "" : " (not accepted)"}, its edges dashed`]);
  if (spikes?.length) entries.push(["|", FIT, "spikes"]);
  if (fit) entries.push(["\u2572", FIT, `power law, alpha ${fit.alpha.toFixed(2)}`]);
  return make("p", { className: "key" }, ...entries.map(([text, color, says]) => make("span", {}, sign(text, color), says)));
}
return { panels, legend, axes };
})();
