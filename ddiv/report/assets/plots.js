// What the page's data look like as plots: dict in, traces and layout for draw.js out.
const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
const mean = (xs) => { const ys = xs.filter(isNumber); return ys.length ? ys.reduce((a, b) => a + b) / ys.length : null; };
const median = (xs) => { const ys = xs.filter(isNumber).sort((a, b) => a - b), n = ys.length; return n ? (ys[(n - 1) >> 1] + ys[n >> 1]) / 2 : null; };

const CLAIMED = "#3a80c1", SPECIFIC = "#d3742a", RATE = "#7d6ab5", LENGTH = "#b5892a", ARM = "#1f8a70";  // readable on white and on near-black; all else is coloured by the CSS
const GROUPS = {
  baseline: { symbol: "cross-thin-open", color: "#7b858e", size: 13 },
  dropout: { symbol: "square", color: "#3a80c1" },
  "dropout in one place": { symbol: "square-open", color: "#3a80c1" },
  "weight decay": { symbol: "diamond", color: "#d3742a" },
  augmentation: { symbol: "triangle-up", color: "#1f8a70" },
  "further augmentation": { symbol: "triangle-down", color: "#1f8a70" },
  synthetic: { symbol: "circle", color: "#a268b4" },
  "very large dropout": { symbol: "star", color: "#3a80c1" },
  combination: { symbol: "hexagon", color: "#b5892a" },
  control: { symbol: "x-thin-open", color: "#7b858e" },
};
const OTHERS = [  // for families of a user's own, and of claims
  { symbol: "pentagon", color: "#c2557a" }, { symbol: "hourglass", color: "#7b858e" }, { symbol: "hexagram", color: "#8a7a1f" },
  { symbol: "diamond-tall", color: "#5a8f3c" }, { symbol: "bowtie", color: "#5b6fc4" }, { symbol: "star-square", color: "#9a5fb0" },
];
const met = [];  // so that a family looks the same in all plots of a page
const style = (group) => GROUPS[group] ?? OTHERS[(met.includes(group) ? met.indexOf(group) : met.push(group) - 1) % OTHERS.length];
const ramp = (t) => {  // pale to deep green
  const mix = [[190, 230, 214], [8, 84, 66]];
  return `rgb(${mix[0].map((c, i) => Math.round(c + (mix[1][i] - c) * Math.min(1, Math.max(0, t)))).join(",")})`;
};

// The name of the y axis stands above the plot, in the page.
function layout(xlabel, ylabel, more = {}) {
  const axis = (label, extra) => ({
    title: { text: plain(label) }, nticks: 6, ...extra,
  });
  return {
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
    for (const s of sets) curve(s[key].slice(0, width), `${label}, seed ${plain(s.seed)}\n`, {
      mode: "lines+markers", opacity: .42, showlegend: false, line: { color, width: 1, dash }, marker: { color, size: 3.5 },
    });
    curve(names.map((_, i) => mean(sets.map((s) => s[key][i]))), `${label}, mean of ${sets.length}\n`, {
      mode: "lines+markers", name: `${label} (mean, ${sets.length} seed${sets.length > 1 ? "s" : ""})`,
      line: { color, width: 2.5, dash }, marker: { color, size: 7, symbol },
    });
  };
  add("y", "as claimed", CLAIMED, "solid", "circle");
  add("specific", "specific", SPECIFIC, "dash", "diamond");
  return { traces, layout: layout(p.xlabel, "", { xaxis, shapes: hasZero ? [zero] : [] }) };
}

// Room for the words beside the outermost markers.
const roomy = (values) => { const lo = Math.min(...values), hi = Math.max(...values), room = .12 * (hi - lo || Math.abs(hi) || 1); return values.length ? { range: [lo - room, hi + room] } : {}; };

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
    const traces = [{ type: "bar", ...place(at, means), orientation: lying ? "h" : "v", width: .62, opacity: .45, marker: { color: CLAIMED },
      hoverinfo: "text", name: "mean", textposition: "none", text: means.map((v, i) => `${plain(names[i])}\nmean: ${show(v, true)}`) }];
    rows.forEach((s, k) => traces.push({ type: "scatter", mode: "markers", ...place(at.map((i) => i + .36 * ((k + .5) / rows.length - .5)), s.y ?? []),
      hoverinfo: "text", marker: { color: CLAIMED, size: 5 }, name: "one seed", legendgroup: "seed", showlegend: k === 0,
      text: names.map((n, i) => `${plain(n)}\nseed ${plain(s.seed)}: ${show(s.y?.[i], true)}`) }));
    const list = { ...named(names), showgrid: false, ...(lying && { autorange: "reversed" }) };
    const figure = layout("", "", lying ? { yaxis: list, xaxis: { showgrid: true }, shapes: [{ ...zero, xref: "x", yref: "paper", x1: 0, y1: 1 }] }
      : { xaxis: list, shapes: [zero] });
    return { traces, layout: figure, height: lying ? 90 + 22 * names.length : null };
  },
  relation(p) {  // two numbers of each arm, as in the paper's figure 5
    const points = (p.points ?? []).filter((q) => isNumber(q.x) && isNumber(q.y)), groups = [...new Set(points.map((q) => q.group))];
    const traces = groups.map((group) => {
      const mine = points.filter((q) => q.group === group), s = style(group);
      return { type: "scatter", mode: p.joined ? "lines+markers+text" : "markers+text", line: { color: s.color, width: 1.2 }, name: plain(group ?? "—"), hoverinfo: "text", x: mine.map((q) => q.x), y: mine.map((q) => q.y),
        text: mine.map((q) => group === "synthetic" ? "" : plain(q.label)), textposition: "top center", textfont: { size: 10 },
        hovertext: mine.map((q) => `${plain(q.label)}\n${plain(p.xlabel)}: ${show(q.x)}\n${plain(p.ylabel)}: ${show(q.y)}`),
        marker: { color: s.color, symbol: s.symbol, size: s.size ?? 9, line: { width: /thin/.test(s.symbol) ? 2.5 : 0, color: s.color } } };
    });
    return { traces, layout: layout(p.xlabel, p.quiet ? p.ylabel : "", { showlegend: !p.quiet, xaxis: { showgrid: true, ...roomy(points.map((q) => q.x)) } }) };
  },
  estimates(p) {  // lines over layers or epochs, with the ends of their intervals
    const names = p.x ?? [], colors = [CLAIMED, SPECIFIC, RATE, LENGTH], rows = p.lines ?? [], long = names.join("").length > 70;
    const short = names.map((n) => n.length > 22 ? `…${n.slice(-21)}` : n);  // of a layer's path the end tells most
    const traces = rows.map((l, k) => ({ type: "scatter", mode: "lines+markers", name: plain(l.label), x: names.map((_, i) => i + .16 * (k - (rows.length - 1) / 2)), y: l.y, hoverinfo: "text",
      text: names.map((n, i) => `${plain(l.label)}\n${plain(n)}: ${show(l.y?.[i], !p.ratio)} [${show(l.low?.[i], !p.ratio)}, ${show(l.high?.[i], !p.ratio)}]`),
      line: { color: colors[k % 4], width: 1.5, dash: k ? "dash" : "solid" }, marker: { color: colors[k % 4], size: 7, symbol: k ? "diamond" : "circle" },
      error_y: { type: "data", symmetric: false, thickness: 1.2, width: 3, color: colors[k % 4],
        array: names.map((_, i) => isNumber(l.high?.[i]) ? l.high[i] - l.y[i] : null), arrayminus: names.map((_, i) => isNumber(l.low?.[i]) ? l.y[i] - l.low[i] : null) } }));
    const level = p.ratio ? { ...zero, y0: 1, y1: 1 } : zero;
    return { traces, layout: layout(p.xlabel, "", { shapes: [level], xaxis: { ...named(short), tickangle: long ? -60 : 0 }, yaxis: p.ratio ? { type: "log" } : {} }), height: long ? 400 : null };
  },
  curves(p) {  // an outcome's change over the log of the clean loss, both against the baseline: the optimiser's two curves, the arms
    const c = data().curves?.[p.curves] ?? {}, own = new Set(p.seeds ?? []), rows = (c.seeds ?? []).map((_, k) => k).filter((k) => own.has(c.seeds[k]));
    const traces = [], segments = [], whole = (x, y) => isNumber(x) && isNumber(y);
    const curve = (places, label, color, symbol) => {
      const names = places.map((m) => c.members[m]);
      const add = (xy, text, extra) => traces.push({ type: "scatter", x: xy.map(([x]) => x), y: xy.map(([, y]) => y), hoverinfo: "text", legendgroup: label,
        text: xy.map(([x, y], i) => `${plain(names[i])}, ${text}\nloss \u00d7 ${show(Math.exp(x))}: ${show(y, true)}`), ...extra });
      const at = (k) => places.map((m) => whole(c.x[k][m], c.y[k][m]) ? [c.x[k][m], c.y[k][m]] : [null, null]);
      for (const k of rows) add(at(k), `seed ${plain(c.seeds[k])}`, { mode: "lines", opacity: .28, showlegend: false, line: { color, width: 1 } });
      const means = places.map((m) => { const good = rows.filter((k) => whole(c.x[k][m], c.y[k][m])); return [mean(good.map((k) => c.x[k][m])), mean(good.map((k) => c.y[k][m]))]; });
      add(means, `mean of ${rows.length}`, { mode: "lines+markers", name: label, line: { color, width: 2.5 }, marker: { color, size: 6, symbol } });
      for (let i = 1; i < means.length; i++) if (whole(...means[i - 1]) && whole(...means[i])) segments.push([means[i - 1], means[i], label]);
    };
    if (rows.length) curve(c.rates, "learning rate", RATE, "circle"), curve(c.lengths, "length", LENGTH, "diamond");
    if (isNumber(c.best)) { const good = rows.filter((k) => whole(c.x[k][c.best], c.y[k][c.best])), x = mean(good.map((k) => c.x[k][c.best])), y = mean(good.map((k) => c.y[k][c.best]));
      traces.push({ type: "scatter", mode: "markers", x: [x], y: [y], name: "best of both in domain", hoverinfo: "text", text: [`${plain(c.members[c.best])}, the most accurate in domain: ${show(y, true)}`], marker: { color: "#7b858e", size: 13, symbol: "star-open", line: { width: 1.5 } } }); }
    const ends = (label) => segments.filter((s) => s[2] === label).flatMap(([a, b]) => [a[0], b[0]]), sides = [ends("learning rate"), ends("length")];
    const lo = Math.max(...sides.map((xs) => Math.min(...xs))), hi = Math.min(...sides.map((xs) => Math.max(...xs))), up = [], down = [];
    if (sides.every((xs) => xs.length) && lo < hi) for (let i = 0; i <= 40; i++) {  // between and about both curves: not specific
      const x = lo + (hi - lo) * i / 40;
      const ys = segments.filter(([a, b]) => (a[0] - x) * (b[0] - x) <= 0).map(([a, b]) => a[0] === b[0] ? a[1] : a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]));
      if (ys.length) up.push([x, Math.max(...ys) + c.margin]), down.unshift([x, Math.min(...ys) - c.margin]);
    }
    const band = [...up, ...down];
    if (band.length) traces.unshift({ type: "scatter", mode: "lines", x: band.map(([x]) => x), y: band.map(([, y]) => y), fill: "toself", fillcolor: "rgba(138,147,155,.18)",
      line: { width: 0 }, hoverinfo: "skip", name: "not specific" });
    const points = (p.points ?? []).filter((q) => whole(q.x, q.y)), told = (q, x, y, of) => `${plain(q.label)}${of}\nloss \u00d7 ${show(Math.exp(x))}: ${show(y, true)}`;
    for (const q of points) if (q.by_seed) { const dots = q.by_seed.map((d, k) => [...d, p.seeds[k]]).filter(([x, y]) => whole(x, y));
      traces.push({ type: "scatter", mode: "markers", x: dots.map(([x]) => x), y: dots.map(([, y]) => y), hoverinfo: "text", showlegend: false, legendgroup: "arm",
        text: dots.map(([x, y, seed]) => told(q, x, y, `, seed ${plain(seed)}`)), marker: { color: ARM, size: 5, opacity: .5 } }); }
    if (points.length) traces.push({ type: "scatter", mode: "markers+text", x: points.map((q) => q.x), y: points.map((q) => q.y), name: points.length > 1 ? "arms" : "arm", legendgroup: "arm",
      text: points.map((q) => plain(q.label)), textposition: "top center", textfont: { size: 10 }, hoverinfo: "text", hovertext: points.map((q) => told(q, q.x, q.y, ", mean")),
      marker: { color: ARM, size: 10, symbol: "square" }, cliponaxis: false });
    const all = [...segments.flatMap(([a, b]) => [a[0], b[0]]), ...points.map((q) => q.x)], wide = Math.max(...all) - Math.min(...all) > Math.log(6);
    const ticks = wide ? [1e-4, 1e-3, .01, .1, .2, .5, 1, 2, 5, 10, 100, 1e3, 1e4] : [.2, .3, .4, .5, .6, .7, .8, .9, 1, 1.1, 1.25, 1.5, 2, 3, 4, 5];
    return { traces, layout: layout("clean training loss, relative to the baseline\u2019s", "", { shapes: [zero],
      xaxis: { tickmode: "array", tickvals: ticks.map(Math.log), ticktext: ticks.map((v) => `\u00d7 ${show(v)}`) } }) };
  },
};
