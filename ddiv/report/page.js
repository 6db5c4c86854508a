const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
const show = (x, sign = false) => !isNumber(x) ? "—"
  : (sign && x > 0 ? "+" : "") + String(Number(x.toPrecision(3))).replace("-", "−");
const mean = (xs) => { const ys = xs.filter(isNumber); return ys.length ? ys.reduce((a, b) => a + b) / ys.length : null; };

let parsed;
const data = () => parsed ??= JSON.parse(one("#data").textContent);

// The 4.8 MB of plotly.js are text until the first plot is drawn.
const plotly = () => {
  if (!window.Plotly) document.head.append(make("script", { textContent: one("#plotly").textContent }));
  return window.Plotly;
};

// --- plots: dict in, plotly figure out -----------------------------------------------------------------

const EQUAL = "#3a80c1", FIT = "#d3742a";  // readable on white and on near-black; all else is coloured by the CSS
const GROUPS = {
  baseline: { symbol: "cross-thin-open", color: "#7b858e", size: 13 },
  dropout: { symbol: "square", color: "#3a80c1" },
  "dropout in one place": { symbol: "square-open", color: "#3a80c1" },
  "weight decay": { symbol: "diamond", color: "#d3742a" },
  augmentation: { symbol: "triangle-up", color: "#1f8a70" },
  synthetic: { symbol: "circle", color: "#a268b4" },
  control: { symbol: "x-thin-open", color: "#7b858e" },
};
const OTHERS = [{ symbol: "circle", color: "#a268b4" }, { symbol: "hexagon", color: "#7b858e" }, { symbol: "star", color: "#b5892a" }];
const style = (group) => GROUPS[group] ?? { symbol: "hexagon", color: "#7b858e" };
const ramp = (t) => {  // pale to deep green
  const mix = [[190, 230, 214], [8, 84, 66]];
  return `rgb(${mix[0].map((c, i) => Math.round(c + (mix[1][i] - c) * Math.min(1, Math.max(0, t)))).join(",")})`;
};

// The name of the y axis stands above the plot, in the page.
function layout(xlabel, ylabel, more = {}) {
  const axis = (label, extra) => ({
    title: { text: plain(label), standoff: 8, font: { size: 12 } }, zeroline: false, showline: true, ticks: "outside", ticklen: 4,
    automargin: true, nticks: 6, ...extra,
  });
  return {
    margin: { l: 54, r: 10, t: 26, b: 42 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12 }, hovermode: "closest",
    hoverlabel: { align: "left", namelength: 0 }, dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
    legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 11 } },
    shapes: more.shapes, showlegend: more.showlegend ?? true,
    xaxis: axis(xlabel, { showgrid: false, ...more.xaxis }), yaxis: axis(ylabel, more.yaxis),
  };
}
const named = (names) => ({ tickmode: "array", tickvals: names.map((_, i) => i), ticktext: names.map(plain) });
const zero = { type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, layer: "below", line: { width: 1, color: "#8a939b" } };

function lines(p, names, at, hasZero, xaxis) {
  const rows = p.series ?? [], width = names.length, traces = [];
  const add = (key, label, color, dash, symbol) => {
    const sets = rows.filter((s) => s[key]?.some(isNumber));
    if (!sets.length) return;
    const curve = (y, text, extra) => traces.push({
      x: at, y, type: "scatter", mode: "lines", hoverinfo: "text", legendgroup: key, connectgaps: true,
      text: y.map((v, i) => `${text}${plain(names[i])}: ${show(v, hasZero)}`), ...extra,
    });
    for (const s of sets) curve(s[key].slice(0, width), `${label}, seed ${plain(s.seed)}<br>`, {
      mode: "lines+markers", opacity: .42, showlegend: false, line: { color, width: 1, dash }, marker: { color, size: 3.5 },
    });
    curve(names.map((_, i) => mean(sets.map((s) => s[key][i]))), `${label}, mean of ${sets.length}<br>`, {
      mode: "lines+markers", name: `${label} (mean, ${sets.length} seed${sets.length > 1 ? "s" : ""})`,
      line: { color, width: 2.5, dash }, marker: { color, size: 7, symbol },
    });
  };
  add("y", "equal epochs", EQUAL, "solid", "circle");
  add("matched", "fit-matched", FIT, "dash", "diamond");
  return { traces, layout: layout(p.xlabel, "", { xaxis, shapes: hasZero ? [zero] : [] }) };
}

const KINDS = {
  dose(p) {
    const x = p.x ?? [], positive = x.filter((v) => isNumber(v) && v > 0), names = x.map((v) => isNumber(v) ? String(v) : v ?? "—");
    const even = !x.every(isNumber) || Math.max(...positive) > 20 * Math.min(...positive);  // such as 0, 1e-5, ..., 5e-3
    return lines(p, names, even ? x.map((_, i) => i) : x, true, even ? named(names) : { tickmode: "array", tickvals: x, ticktext: names });
  },
  paired(p) {
    const arms = p.arms ?? [];
    return lines(p, arms, arms.map((_, i) => i), false, { ...named(arms), range: [-.35, arms.length - .65] });
  },
  bars(p) {
    const names = p.x ?? [], rows = p.series ?? [], at = names.map((_, i) => i);
    const lying = names.join("").length > 70;  // long names read better from left to right
    const place = (across, up) => lying ? { x: up, y: across } : { x: across, y: up };
    const means = names.map((_, i) => mean(rows.map((s) => s.y?.[i])));
    const traces = [{ type: "bar", ...place(at, means), orientation: lying ? "h" : "v", width: .62, opacity: .45, marker: { color: EQUAL },
      hoverinfo: "text", name: "mean", textposition: "none", text: means.map((v, i) => `${plain(names[i])}<br>mean: ${show(v, true)}`) }];
    rows.forEach((s, k) => traces.push({ type: "scatter", mode: "markers", ...place(at.map((i) => i + .36 * ((k + .5) / rows.length - .5)), s.y ?? []),
      hoverinfo: "text", marker: { color: EQUAL, size: 5 }, name: "one seed", legendgroup: "seed", showlegend: k === 0,
      text: names.map((n, i) => `${plain(n)}<br>seed ${plain(s.seed)}: ${show(s.y?.[i], true)}`) }));
    const list = { ...named(names), showgrid: false, ...(lying && { autorange: "reversed" }) };
    const figure = layout("", "", lying ? { yaxis: list, xaxis: { showgrid: true }, shapes: [{ ...zero, xref: "x", yref: "paper", x1: 0, y1: 1 }] }
      : { xaxis: list, shapes: [zero] });
    return { traces, layout: figure, height: lying ? 90 + 22 * names.length : null };
  },
  vectors(p) {
    const points = (p.points ?? []).filter((q) => isNumber(q.x) && isNumber(q.y)), groups = [...new Set(points.map((q) => q.group))];
    const traces = groups.map((group) => {
      const mine = points.filter((q) => q.group === group), s = style(group);
      return { type: "scatter", mode: "lines+markers+text", name: plain(group ?? "—"), hoverinfo: "text", line: { color: s.color, width: 1.5 },
        x: mine.flatMap((q) => [0, q.x, null]), y: mine.flatMap((q) => [0, q.y, null]), textposition: "top center", textfont: { size: 10 },
        text: mine.flatMap((q) => ["", plain(q.label), ""]), hovertext: mine.flatMap((q) => ["", `${plain(q.label)}<br>${show(q.x, true)}, ${show(q.y, true)}`, ""]),
        marker: { color: s.color, symbol: s.symbol, size: mine.flatMap(() => [0, 10, 0]), line: { width: 2, color: s.color } } };
    });
    const axis = (values) => {  // zero in sight, and room for the labels
      const lo = Math.min(0, ...values), hi = Math.max(0, ...values), room = .18 * (hi - lo || 1);
      return { zeroline: true, showgrid: false, range: [lo - room, hi + room] };
    };
    const [x, y] = ["x", "y"].map((key) => axis(points.map((q) => q[key])));
    return { traces, layout: layout(p.xlabel, "", { xaxis: x, yaxis: y }) };
  },
  scatter(p) {  // the paper's figures 3 and 4
    const points = (p.points ?? []).filter((q) => isNumber(q.x) && isNumber(q.y)), base = points.find((q) => q.group === "baseline");
    const line = { width: 1, dash: "dash", color: "#8a939b" };
    const shapes = base ? [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: base.y, y1: base.y, line, layer: "below" },
      { type: "line", yref: "paper", y0: 0, y1: 1, x0: base.x, x1: base.x, line, layer: "below" }] : [];
    const traces = [...new Set(points.map((q) => q.group))].flatMap((group) => {
      const s = style(group), mine = points.filter((q) => q.group === group).sort((a, b) => (a.size ?? 0) - (b.size ?? 0));
      const trail = base && ["dropout", "weight decay"].includes(group) ? [base, ...mine] : [];
      return [{ type: "scatter", mode: "lines", x: trail.map((q) => q.x), y: trail.map((q) => q.y), line: { color: s.color, width: 1 }, opacity: .45, hoverinfo: "skip" },
        { type: "scatter", mode: p.labels ? "markers+text" : "markers", x: mine.map((q) => q.x), y: mine.map((q) => q.y), hoverinfo: "text",
          text: mine.map((q, i) => group === "augmentation" || (i === mine.length - 1 && q !== base) ? plain(q.arm) : ""), textposition: "top center", textfont: { size: 10 },
          hovertext: mine.map((q) => [`<b>${plain(q.arm)}</b>`, `${plain(p.x)}: ${show(q.x)}`, `${plain(p.y)}: ${show(q.y)}`,
            ...(isNumber(q.intensity) ? [`embedding diversity, relative: ${show(q.intensity)}`] : []),
            ...(q.xs ?? []).map((x, i) => `<i>seed ${i + 1} of ${q.xs.length}:</i> ${show(x)}, ${show(q.ys?.[i])}`)].join("<br>")),
          marker: { symbol: s.symbol, opacity: .95, size: mine.map((q) => s.size ?? 8 + 12 * (q.size ?? .3)),
            color: mine.map((q) => group === "augmentation" && isNumber(q.intensity) ? ramp(q.intensity) : s.color),
            line: { width: /thin/.test(s.symbol) ? 2.5 : 1.2, color: s.color } } }];
    });
    return { traces, layout: layout(p.x, p.y, { shapes, showlegend: false, xaxis: { showgrid: true } }) };
  },
  fit(p) {  // effects at equal fit against effects at equal epochs; asinh: linear about zero, logarithmic beyond
    const points = p.points ?? [], at = Math.asinh, ends = [0, ...points.flatMap((q) => [at(q.x), at(q.y)])];
    const room = .06 * (Math.max(...ends) - Math.min(...ends) || 1), lo = Math.min(...ends) - room, hi = Math.max(...ends) + room;
    const traces = (p.families ?? []).map((family, i) => {
      const mine = points.filter((q) => q.family === family).sort((a, b) => b.kept - a.kept), s = GROUPS[family] ?? OTHERS[i % OTHERS.length];
      return { type: "scatter", mode: "markers", name: plain(family), x: mine.map((q) => at(q.x)), y: mine.map((q) => at(q.y)), showlegend: mine.length > 0,
        hoverinfo: "text", hovertext: mine.map((q) => [`<b>${plain(q.name)}</b>`, ...(q.lines ?? []).map(plain)].join("<br>")), customdata: mine.map((q) => q.anchor),
        marker: { color: s.color, size: mine.map((q) => q.decided ? 10 : 6), symbol: mine.map((q) => s.symbol + (q.kept ? "" : "-open")), line: { width: 1.5, color: s.color }, opacity: .85 } };
    });
    const round = [0, 1, 3, 10, 30, 100, 300, 1e3, 1e4, 1e6, 1e9], values = [...round.slice(1).map((v) => -v).reverse(), ...round].filter((v) => at(v) >= lo && at(v) <= hi);
    const axis = { range: [lo, hi], tickmode: "array", tickvals: values.map(at), ticktext: values.map((v) => show(v)), showgrid: false };
    const line = { width: 1, color: "#8a939b" }, far = Math.abs(lo) > hi ? lo : hi;  // the words stand where the lines are longest
    const words = (text, x, y) => ({ text, x, y, showarrow: false, xanchor: far < 0 ? "left" : "right", yanchor: "bottom", font: { size: 11 } });
    return { traces, layout: { ...layout("effect at equal epochs", "effect at equal fit", { xaxis: axis, yaxis: axis,
      shapes: [{ ...zero, line }, { type: "line", x0: lo, y0: lo, x1: hi, y1: hi, layer: "below", line: { ...line, dash: "dash" } }] }),
    annotations: [words("nothing is left", far, 0), { ...words("all of it is left ", .7 * far, .7 * far), xanchor: "right" }] } };
  },
};

// --- drawing, when a slot comes into view ----------------------------------------------------------------

const slots = () => all(".plot");
const count = () => {
  root.dataset.plotsTotal = slots().length;
  root.dataset.plotsDrawn = all(".plot[data-drawn]").length;
};
function draw(slot) {
  if (slot.dataset.drawn || slot.dataset.failed) return;
  seen.unobserve(slot);
  try {
    const plot = slot.figure ?? data().plots[slot.dataset.plot];
    const figure = KINDS[plot.kind](plot);
    if (figure.height) slot.style.height = `${figure.height}px`;
    plotly().newPlot(slot, figure.traces, figure.layout, { displayModeBar: false, displaylogo: false, responsive: true });
    slot.on("plotly_click", ({ points: [point] }) => { if (typeof point?.customdata === "string") location.hash = point.customdata; });
    slot.dataset.drawn = "1";
  } catch (error) {
    slot.dataset.failed = "1";
    slot.textContent = `This plot could not be drawn: ${error.message}`;
    console.error("plot", slot.dataset.plot ?? "", error);
  }
}
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  count();
}, { rootMargin: "200px" });
let drawingAll = false;
function drawAll() {  // a few at a time, so that the page stays usable
  const left = slots().filter((slot) => !slot.dataset.drawn && !slot.dataset.failed), until = performance.now() + 60;
  while (left.length && performance.now() < until) draw(left.shift());
  count();
  if (left.length && drawingAll) setTimeout(drawAll, 0);
}
document.addEventListener("toggle", (event) => {
  const slot = event.target.open && event.target.matches(".finding") && !drawingAll && one(".plot", event.target);
  if (slot) draw(slot), count();
}, true);

const button = one("#open-all");
function openAll(open) {
  drawingAll = open;
  for (const node of all("details.claim, details.finding")) node.open = open;
  if (open) drawAll();
  if (button) button.textContent = open ? "close all" : "open all";
}
button?.addEventListener("click", () => openAll(button.textContent === "open all"));

// --- filters ------------------------------------------------------------------------------------------------

const form = one("form.filters[role=search]");
let index;
function texts() {
  return index ??= all(".finding").map((node) => {
    const claim = node.closest(".claim");
    const said = one("summary", claim).textContent + one(".about", claim).textContent;
    return { node, claim, text: (said + node.textContent).toLowerCase() };
  });
}
function filter() {
  const words = one("#q").value.toLowerCase().split(/\s+/).filter(Boolean), study = one("#study").value;
  const ticked = (name) => all(`[name=${name}]:checked`, form).map((box) => box.value);
  const verdicts = ticked("verdict"), only = ticked("only");
  const on = words.length + verdicts.length + only.length > 0 || study !== "";
  const visible = new Map();
  let shown = 0;
  for (const { node, claim, text } of texts()) {
    const keep = (!study || node.dataset.study === study) && (!verdicts.length || verdicts.includes(node.dataset.verdict))
      && only.every((flag) => flag in node.dataset) && words.every((word) => text.includes(word));
    node.hidden = !keep;
    shown += keep;
    if (keep) visible.set(claim, (visible.get(claim) ?? new Set()).add(node.dataset.study));
  }
  for (const claim of all(".claim")) claim.hidden = on && !visible.has(claim);
  for (const family of all("section.family")) family.hidden = !one(".claim:not([hidden])", family);
  for (const row of all(".matrix [data-claim]")) {
    const studies = visible.get(document.getElementById(row.dataset.claim));
    row.hidden = on && !studies;
    for (const cell of all("td[data-study]", row)) cell.classList.toggle("off", on && !studies?.has(cell.dataset.study));
  }
  for (const body of all(".matrix tbody")) body.hidden = !one("[data-claim]:not([hidden])", body);
  one("#shown").textContent = on ? `${shown} of ${index.length} findings` : `${index.length} finding${index.length === 1 ? "" : "s"}`;
  one("#nothing").hidden = shown > 0;
  one("[type=reset]", form).hidden = !on;
}
if (form) {
  let timer;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 80); });
  form.addEventListener("reset", () => setTimeout(filter));
  one("#clear").addEventListener("click", () => form.reset());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    event.preventDefault();
    one("#q").focus();
  });
}

// --- links: a target inside closed details is opened, the rows of a matrix cell's study are marked -----------

let study = null;
function arrive() {
  if (["#all", "?all"].includes(location.hash) || location.search === "?all") return openAll(true);
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) form?.reset();
  for (let node = target; node; node = node.parentElement?.closest("details")) if (node.tagName === "DETAILS") node.open = true;
  setTimeout(() => target.scrollIntoView());
  for (const row of all(".finding.marked")) row.classList.remove("marked");
  for (const row of all(".finding", target)) row.classList.toggle("marked", row.dataset.study === study);
  one("summary", target)?.focus({ preventScroll: true });
  study = null;
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link) {
    study = link.dataset.study ?? null;
    if (link.hash === location.hash) arrive();
  }
  if (event.target.matches(".copy")) copy(event.target);
});
addEventListener("hashchange", arrive);

async function copy(from) {
  const code = one("code", from.parentElement);
  try {
    await navigator.clipboard.writeText(code.textContent);
    from.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(code);
    from.textContent = document.execCommand("copy") ? "copied" : "selected";
  }
  setTimeout(() => { from.textContent = "copy"; }, 1500);
}

// --- tables that are sorted by their heads: numbers by size, what is missing last, words by the alphabet ---------

document.addEventListener("click", (event) => {
  const head = event.target.closest(".sortable th button")?.parentElement;
  if (!head) return;
  const table = head.closest("table"), body = one("tbody", table), column = [...head.parentElement.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending", numeric = head.matches(".num");
  const value = (row) => { const cell = row.children[column]; return numeric ? parseFloat(cell.dataset.v) : cell.textContent.toLowerCase(); };
  const rows = [...body.rows].map((row) => [value(row), row]), sign = down ? -1 : 1;
  rows.sort(([a], [b]) => numeric ? isNaN(a) - isNaN(b) || sign * (a - b) || 0 : sign * a.localeCompare(b));
  for (const other of all("[aria-sort]", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows.map(([, row]) => row));
});

// --- scale against shape ----------------------------------------------------------------------------------

const pick = one("#pick");
function panels() {
  const { scatter, studies } = data(), chosen = new FormData(pick);
  const pair = (s) => `${s.x ?? "—"} / ${s.y ?? "—"}`;
  const matching = scatter.filter((s) => s.points?.length && (!chosen.get("study") || s.study === chosen.get("study"))
    && (s.view ?? "—") === chosen.get("view") && pair(s) === chosen.get("pair"));
  for (const old of all("#panels .plot[data-drawn]")) window.Plotly?.purge(old);
  one("#panels").replaceChildren(...matching.map((s) => {
    const slot = make("div", { className: "plot", figure: { ...s, kind: "scatter", labels: matching.length === 1 } });
    slot.setAttribute("role", "img");
    slot.setAttribute("aria-label", `${s.y} against ${s.x}, ${s.study}, ${s.view}`);
    seen.observe(slot);
    return make("figure", {}, make("figcaption", { textContent: studies[s.study] ?? s.study ?? "—" }), slot);
  }));
  one("#panels").dataset.n = Math.min(3, matching.length);
  if (!matching.length) one("#panels").textContent = "No arms were measured for this choice.";
  count();
  if (drawingAll) drawAll();
}
if (pick) {
  const { scatter, studies } = data(), distinct = (f) => [...new Set(scatter.filter((s) => s.points?.length).map(f))];
  const fill = (name, options) => one(`[name=${name}]`, pick).append(...options.map(([value, text]) => make("option", { value, textContent: text })));
  const ids = distinct((s) => s.study);
  fill("study", [...(ids.length > 1 ? [["", "all studies"]] : []), ...ids.map((id) => [id, studies[id] ?? id])]);
  fill("view", distinct((s) => s.view ?? "—").map((v) => [v, v]));
  fill("pair", distinct((s) => `${s.x ?? "—"} / ${s.y ?? "—"}`).map((v) => [v, v]));
  const signs = { square: "■", "square-open": "□", diamond: "◆", "triangle-up": "▲", circle: "●", hexagon: "⬢" };
  one("#legend").append(...[...new Set(scatter.flatMap((s) => (s.points ?? []).map((q) => q.group)))].map((group) => {
    const sign = make("b", { textContent: signs[style(group).symbol] ?? (group === "baseline" ? "+" : "×") });
    sign.style.color = style(group).color;
    const more = group !== "augmentation" ? [] : [0, .5, 1].map((t) => make("b", { textContent: "▲", style: `color:${ramp(t)}` }));
    return make("span", {}, sign, ` ${group ?? "—"}`, ...(more.length ? [" (", more[0], more[1], more[2], " less to more diverse)"] : []));
  }));
  pick.addEventListener("change", panels);
  panels();
}

for (const slot of slots()) seen.observe(slot);
count();
arrive();
root.dataset.readyMs = Math.round(performance.now());
