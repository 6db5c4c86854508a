// Draws plots: traces and a layout in, an <svg> out. The names are plotly's, of which it knows what our plots need: lines, markers, bars
// and filled outlines on linear and logarithmic axes, ticks that are named, upright and level lines, a legend above, and texts for hovering.
const drawer = (() => {
const SIZE = 11;
const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined && value !== null) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const at = (value, i) => Array.isArray(value) ? value[i] : value;
const finite = (v) => typeof v === "number" && Number.isFinite(v);
const px = (v) => Math.round(v * 10) / 10;
const wide = (text, size = SIZE) => String(text).length * size * .56;  // about: an <svg> that is not shown measures nothing
const cut = (text, room, size = SIZE) => wide(text, size) <= room ? text : `${String(text).slice(0, Math.max(1, Math.floor(room / (size * .56)) - 1))}…`;
function folded(text, room, size) {  // words in lines of this width; a longer word has its own
  const parts = [];
  for (const word of String(text).split(" ")) {
    const longer = parts.length ? `${parts.at(-1)} ${word}` : word;
    if (parts.length && wide(longer, size) <= room) parts[parts.length - 1] = longer;
    else parts.push(word);
  }
  return parts;
}
const minus = (text) => String(text).replace("-", "−");
const raised = (n) => minus(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");

// --- markers, by the names of plotly; r is half their size ---------------------------------------------------

const ring = (n, r, turn = -90, inner = 0) => `M${Array.from({ length: inner ? 2 * n : n }, (_, i) => {
  const angle = (turn + i * 360 / (inner ? 2 * n : n)) * Math.PI / 180, out = inner && i % 2 ? r * inner : r;
  return `${px(out * Math.cos(angle))} ${px(out * Math.sin(angle))}`;
}).join("L")}Z`;
const SYMBOLS = {
  circle: (r) => `M${r} 0A${r} ${r} 0 1 1 ${-r} 0A${r} ${r} 0 1 1 ${r} 0Z`, square: (r) => ring(4, r * 1.25, 45), diamond: (r) => ring(4, r * 1.3, 0),
  "diamond-tall": (r) => `M0 ${-1.4 * r}L${.7 * r} 0L0 ${1.4 * r}L${-.7 * r} 0Z`, "triangle-up": (r) => ring(3, r * 1.2), "triangle-down": (r) => ring(3, r * 1.2, 90),
  pentagon: (r) => ring(5, r * 1.1), hexagon: (r) => ring(6, r * 1.1, 0), star: (r) => ring(5, r * 1.4, -90, .4), hexagram: (r) => ring(6, r * 1.3, -90, .58),
  "star-square": (r) => ring(4, r * 1.4, 45, .5), hourglass: (r) => `M${-r} ${-r}H${r}L${-r} ${r}H${r}Z`, bowtie: (r) => `M${-r} ${-r}V${r}L${r} ${-r}V${r}Z`,
  "cross-thin": (r) => `M${-r} 0H${r}M0 ${-r}V${r}`, "x-thin": (r) => `M${-r * .8} ${-r * .8}L${r * .8} ${r * .8}M${-r * .8} ${r * .8}L${r * .8} ${-r * .8}`, "line-ns": (r) => `M0 ${-r}V${r}`,
};
function marker(m, i, x, y) {
  const name = at(m.symbol, i) ?? "circle", open = name.endsWith("-open"), r = (at(m.size, i) ?? 6) / 2, line = m.line ?? {}, color = at(m.color, i);
  const stroke = open ? line.width || 1.4 : line.width;
  return svg("path", { d: (SYMBOLS[name.replace("-open", "")] ?? SYMBOLS.circle)(px(r)), transform: `translate(${px(x)} ${px(y)})`, fill: open ? "none" : color,
    stroke: stroke ? at(line.color, i) ?? color : null, "stroke-width": stroke || null, opacity: at(m.opacity, i) });
}

// --- axes ------------------------------------------------------------------------------------------------------

// Where an axis begins and ends (on a logarithmic one: exponents of ten), with what is plotted on it.
function scale(axis = {}, values, room) {
  const log = axis.type === "log", of = log ? Math.log10 : (v) => v, known = values.map(of).filter(finite);
  let [lo, hi] = axis.range ?? [Math.min(...known), Math.max(...known)];
  if (!finite(lo) || !finite(hi)) [lo, hi] = [0, 1];
  if (lo === hi) [lo, hi] = lo ? [lo - Math.abs(lo) * .1, hi + Math.abs(hi) * .1] : [-1, 1];
  else if (!axis.range) [lo, hi] = [lo - room * (hi - lo), hi + room * (hi - lo)];
  return { of, log, lo, hi, ticks: ticks(axis, log, lo, hi) };
}
function ticks(axis, log, lo, hi) {
  const inside = (v) => v >= lo - 1e-9 * (hi - lo) && v <= hi + 1e-9 * (hi - lo);
  if (axis.tickmode === "array") return axis.tickvals.map((v, i) => ({ v, text: axis.ticktext[i] })).filter(({ v }) => inside(v));
  if (log) {
    const dtick = axis.dtick ?? (hi - lo > 2.2 ? Math.ceil((hi - lo) / 5) : hi - lo > .7 ? "D2" : "D1"), found = [];
    for (let e = Math.floor(lo); e <= hi; e++) for (const digit of dtick === "D1" ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : dtick === "D2" ? [1, 2, 5] : [1]) {
      if (finite(dtick) && e % dtick) continue;
      const v = e + Math.log10(digit), power = Math.abs(e) > 3;
      if (inside(v)) found.push({ v, text: power ? digit === 1 ? `10${raised(e)}` : String(digit) : show(digit * 10 ** e) });
    }
    return found;
  }
  const raw = (hi - lo) / (axis.nticks ?? 6), power = 10 ** Math.floor(Math.log10(raw)), step = power * [1, 2, 5, 10].find((k) => k * power >= raw * .999);
  const size = Math.max(Math.abs(lo), Math.abs(hi)), e = Math.floor(Math.log10(size)), short = size >= 1e5 || size < 1e-3;
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), unit = short ? 10 ** e : 1, places = short ? Math.max(0, e - Math.floor(Math.log10(step) + 1e-9)) : decimals;
  const first = Math.ceil(lo / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(hi / step + 1e-9) - first + 1) }, (_, i) => (first + i) * step)
    .map((v) => ({ v, text: Math.abs(v) < step * 1e-6 ? "0" : minus((v / unit).toFixed(places)) + (short ? `·10${raised(e)}` : "") }));
}

// --- the picture -----------------------------------------------------------------------------------------------------

let clips = 0;
function draw({ traces, layout }, W, H, label = "") {
  const L = layout, names = { x: "xaxis", x2: "xaxis2", y: "yaxis" }, values = { x: [], x2: [], y: [] };
  for (const t of traces) {
    const x = values[t.xaxis ?? "x"], lying = t.orientation === "h";
    for (const [mine, to, along] of [[t.x, x, !lying], [t.y, values.y, lying]]) {
      to.push(...mine ?? []);
      if (to === values.y && t.error_y) mine.forEach((v, i) => { if (t.error_y.array[i] !== null) to.push(v + t.error_y.array[i], v - t.error_y.arrayminus[i]); });
      if (t.type === "bar" && along) for (const v of mine) to.push(v - t.width / 2, v + t.width / 2);
      if (t.type === "bar" && !along) to.push(0);
    }
  }
  // Level and upright lines at zero are part of the picture.
  for (const s of L.shapes ?? []) for (const [axis, ref, v] of [["x", s.xref, s.x0], ["y", s.yref, s.y0]]) if (!(ref ?? "").match(/paper|domain/) && v === 0 && !L[names[axis]]?.type) values[axis].push(0);
  const scales = Object.fromEntries(Object.keys(names).filter((k) => L[names[k]] && L[names[k]].visible !== false).map((k) => [k, scale(L[names[k]], values[k], traces.every((t) => t.type === "bar") ? .02 : .06)]));

  // The legend stands above, in as many rows as it needs.
  const entries = L.showlegend === false ? [] : traces.filter((t) => t.name && t.showlegend !== false);
  const spots = [];
  let across = 0, row = 0;
  for (const t of entries) {
    const w = 30 + wide(t.name);
    if (across && across + w > W - 8) [across, row] = [0, row + 1];
    spots.push([t, across, row]);
    across += w;
  }
  const titled = (axis) => axis?.title?.text, Y = scales.y, turned = L.yaxis.autorange === "reversed";
  const top = entries.length ? 12 + 16 * (row + 1) : 10, right = 12;
  const left = Math.max(30, 12 + Math.max(0, ...Y.ticks.map((t) => wide(t.text)))) + (titled(L.yaxis) ? 18 : 0);
  const room = W - left - right, place = {};
  let bottom = 14;
  for (const k of ["x", "x2"]) if (scales[k]) {
    const [from, to] = L[names[k]].domain ?? [0, 1], s = scales[k], start = left + from * room, length = (to - from) * room;
    place[k] = (v) => start + (s.of(v) - s.lo) / (s.hi - s.lo) * length;
    s.at = (v) => start + (v - s.lo) / (s.hi - s.lo) * length;
    [s.start, s.end] = [start, start + length];
    const axis = L[names[k]], size = axis.tickfont?.size, longest = Math.max(0, ...s.ticks.map((t) => wide(t.text, size))), step = s.ticks.length > 1 ? length / (s.ticks.length) : length;
    const crowded = axis.tickangle == null && axis.tickmode === "array" && longest > step - 6 && longest > 30;
    const broken = crowded ? s.ticks.map((t) => folded(t.text, step - 8, size)) : [], several = Math.max(1, ...broken.map((b) => b.length));
    const fits = crowded && several <= (s.ticks.length < 4 ? 7 : 4) && broken.flat().every((part) => wide(part, size) <= step - 8);
    if (fits) s.ticks = s.ticks.map((t, i) => ({ ...t, parts: broken[i] }));
    s.angle = axis.tickangle ?? (crowded && !fits ? -38 : 0);
    bottom = Math.max(bottom, s.angle ? 12 + Math.min(150, longest * Math.sin(-s.angle * Math.PI / 180)) : fits ? 5 + 13 * several : 18);
  }
  const foot = H - bottom - (titled(L.xaxis) ? 18 : 4), height = foot - top;
  const up = (v) => turned ? top + (v - Y.lo) / (Y.hi - Y.lo) * height : foot - (v - Y.lo) / (Y.hi - Y.lo) * height;
  place.y = (v) => up(Y.of(v));

  const clip = `clip-${++clips}`, picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, "font-size": SIZE, fill: "none" });
  if (label) picture.append(svg("title", {}, label));
  picture.append(svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: Math.max(0, room), height: Math.max(0, height) })));
  const text = (words, x, y, more = {}) => svg("text", { x: px(x), y: px(y), ...more }, String(words));
  const grid = svg("g", { class: "grid" }), frame = svg("g", { class: "axis" });
  const kept = (s, size) => {  // ticks whose words do not run into those before them
    let end = -Infinity;
    return s.ticks.filter((t) => { const half = s.angle ? 5 : Math.max(...(t.parts ?? [t.text]).map((part) => wide(part, size))) / 2 + 3, x = s.at(t.v); if (x - half < end) return false; end = x + half; return true; });
  };
  for (const k of ["x", "x2"]) if (scales[k]) {
    const s = scales[k], axis = L[names[k]], size = axis.tickfont?.size;
    frame.append(svg("path", { d: `M${px(s.start)} ${px(foot)}H${px(s.end)}` }));
    for (const t of s.ticks) {
      frame.append(svg("path", { d: `M${px(s.at(t.v))} ${px(foot)}v4` }));
      if (axis.showgrid) grid.append(svg("path", { d: `M${px(s.at(t.v))} ${px(top)}V${px(foot)}` }));
    }
    for (const t of kept(s, size)) {
      const x = s.at(t.v), y = foot + 15;
      if (t.parts) t.parts.forEach((part, i) => { const half = wide(part, size) / 2; picture.append(text(part, Math.min(W - half - 2, Math.max(half + 2, x)), y + 13 * i, { "text-anchor": "middle", "font-size": size })); });
      else picture.append(text(s.angle ? cut(t.text, Math.min((x - 2) / Math.cos(s.angle * Math.PI / 180), 150 / Math.sin(-s.angle * Math.PI / 180)), size) : t.text, x, y, s.angle ? { "text-anchor": "end", transform: `rotate(${s.angle} ${px(x)} ${px(y - 5)})`, "font-size": size } : { "text-anchor": "middle", "font-size": size }));
    }
    if (titled(axis)) picture.append(text(titled(axis), (s.start + s.end) / 2, H - 5, { class: `${k}title`, "text-anchor": "middle", "font-size": 12 }));
  }
  frame.append(svg("path", { d: `M${px(left)} ${px(top)}V${px(foot)}` }));
  for (const t of Y.ticks) {
    const y = up(t.v);
    frame.append(svg("path", { d: `M${px(left)} ${px(y)}h-4` }));
    if (L.yaxis.showgrid !== false) grid.append(svg("path", { d: `M${px(left)} ${px(y)}H${px(left + room)}` }));
    picture.append(text(t.text, left - 7, y + 4, { "text-anchor": "end" }));
  }
  if (titled(L.yaxis)) picture.append(text(titled(L.yaxis), 12, (top + foot) / 2, { class: "ytitle", "text-anchor": "middle", "font-size": 12, transform: `rotate(-90 12 ${px((top + foot) / 2)})` }));
  picture.append(grid);

  const DASHES = { dash: "6 4", dot: "2 3" };
  const stroke = (line = {}) => ({ stroke: line.color, "stroke-width": line.width ?? 2, "stroke-dasharray": DASHES[line.dash], "stroke-linejoin": "round" });
  const taken = [];  // by words: a word goes to the first place about its mark where none is yet, if far with a line to the mark
  function apart(x, y, half, size, above, inside, [high, low]) {
    const near = [[0, -above], [0, above + size * .75], [half + above, size * .35], [-half - above, size * .35]];
    const far = [2.2, 3.5, 4.8, 6.1, 7.4].flatMap((k) => [[0, -1], [1, -.7], [-1, -.7], [1, .9], [-1, .9], [0, 1]].map(([dx, dy]) => [dx * (2 * half + 6), dy * k * size]));
    const boxes = [...near, ...far].map(([dx, dy], i) => [inside(x + dx), y + dy, i >= near.length]);
    const free = ([cx, cy]) => cy - size > high - 12 && cy < low && taken.every(([ox, oy, oh]) => Math.abs(ox - cx) > oh + half + 4 || Math.abs(oy - cy) > 1.2 * size);
    const found = boxes.find(free) ?? boxes[0];
    taken.push([found[0], found[1], half]);
    return found;
  }
  const clipped = svg("g", { "clip-path": `url(#${clip})` }), free = svg("g"), points = [];
  for (const s of L.shapes ?? []) {
    const across = (v) => s.xref === "paper" ? left + v * room : s.xref === "x2 domain" ? scales.x2.start + v * (scales.x2.end - scales.x2.start) : place.x?.(v) ?? left;
    const upward = (v) => s.yref === "paper" ? foot - v * height : place.y(v), ends = [across(s.x0), upward(s.y0), across(s.x1), upward(s.y1)];
    if (ends.every(finite)) clipped.append(svg("path", { d: `M${px(ends[0])} ${px(ends[1])}L${px(ends[2])} ${px(ends[3])}`, ...stroke(s.line) }));
  }
  const told = (t, i) => t.hoverinfo === "text" ? at(t.hovertext ?? t.text, i) : t.hoverinfo === "x" ? show(t.x[i]) : `${show(t.x[i])}, ${show(t.y[i])}`;
  for (const t of traces) {
    const X = place[t.xaxis ?? "x"], xs = t.x ?? [], ys = t.y ?? [];
    if (!X) continue;
    const note = (i, x, y) => { if (t.hoverinfo !== "skip") points.push({ x, y, says: told(t, i), of: t.customdata?.[i] }); };
    if (t.type === "bar") {
      const lying = t.orientation === "h";
      xs.forEach((_, i) => {
        const [x0, x1, y0, y1] = lying ? [X(0), X(xs[i]), place.y(ys[i] - t.width / 2), place.y(ys[i] + t.width / 2)] : [X(xs[i] - t.width / 2), X(xs[i] + t.width / 2), place.y(0), place.y(ys[i])];
        if (![x0, x1, y0, y1].every(finite)) return;
        clipped.append(svg("rect", { x: px(Math.min(x0, x1)), y: px(Math.min(y0, y1)), width: px(Math.abs(x1 - x0)), height: px(Math.abs(y1 - y0)), fill: at(t.marker.color, i), opacity: t.opacity ?? t.marker.opacity }));
        note(i, lying ? x1 : (x0 + x1) / 2, lying ? (y0 + y1) / 2 : y1);
      });
      continue;
    }
    const spots = xs.map((x, i) => finite(x) && finite(ys[i]) && finite(X(x)) && finite(place.y(ys[i])) ? [X(x), place.y(ys[i])] : null);
    const mode = t.mode ?? "lines", group = svg("g", { opacity: t.opacity });
    if (mode.includes("lines")) {
      let d = "", before = null;
      for (const spot of spots) {
        if (!spot) { if (!t.connectgaps) before = null; continue; }
        const [x, y] = spot.map(px);
        d += !before ? `M${x} ${y}` : t.line?.shape === "hvh" ? `H${px((before[0] + x) / 2)}V${y}H${x}` : `L${x} ${y}`;
        before = [x, y];
      }
      if (d) group.append(svg("path", t.fill === "toself" ? { d: `${d}Z`, fill: t.fillcolor } : { d, ...stroke(t.line) }));
    }
    const marks = svg("g", { opacity: t.opacity });
    for (const [i, spot] of t.error_y ? spots.entries() : []) {
      const ends = spot ? [ys[i] + t.error_y.array[i], ys[i] - t.error_y.arrayminus[i]].map(place.y) : [], [x] = spot ?? [], w = t.error_y.width ?? 0;
      if (ends.length && t.error_y.array[i] !== null && ends.every(finite)) group.append(svg("path", { d: `M${px(x - w)} ${px(ends[0])}h${2 * w}M${px(x)} ${px(ends[0])}V${px(ends[1])}M${px(x - w)} ${px(ends[1])}h${2 * w}`, ...stroke({ color: t.error_y.color, width: t.error_y.thickness }) }));
    }
    spots.forEach((spot, i) => {
      if (!spot) return;
      const [x, y] = spot, inside = x > left - 2 && x < left + room + 2 && y > top - 2 && y < foot + 2;
      if (!inside) return;
      if (mode.includes("markers")) marks.append(marker(t.marker ?? {}, i, x, y));
      if (mode.includes("text") && at(t.text, i)) {
        const words = at(t.text, i), half = wide(words, t.textfont?.size) / 2, above = (at(t.marker?.size, i) ?? 6) / 2 + 3;
        const [across, up, led] = apart(x, y, half, t.textfont?.size ?? 11, above, (v) => Math.max(half + 2, Math.min(W - half - 2, v)), [top, foot]);
        if (led) marks.append(svg("path", { d: `M${px(x)} ${px(y)}L${px(across)} ${px(up > y ? up - 8 : up + 2)}`, class: "axis", "stroke-width": .7 }));
        marks.append(text(words, across, up, { "text-anchor": "middle", "font-size": t.textfont?.size }));
      }
      note(i, x, y);
    });
    if (group.childNodes.length) clipped.append(group);
    free.append(marks);
  }
  picture.append(clipped, frame, free);
  for (const [t, x, r] of spots) {
    const y = 10 + 16 * r, g = svg("g", { opacity: t.type === "bar" ? t.opacity : null });
    if (t.type === "bar") g.append(svg("rect", { x: x + 4, y: y - 5, width: 16, height: 9, fill: at(t.marker.color, 0) }));
    else if (t.fill) g.append(svg("rect", { x: x + 4, y: y - 5, width: 16, height: 9, fill: t.fillcolor }));
    else {
      if (t.mode.includes("lines")) g.append(svg("path", { d: `M${x + 2} ${y}h20`, ...stroke(t.line) }));
      if (t.mode.includes("markers")) g.append(marker({ ...t.marker, size: Math.min(10, at(t.marker.size, 0) ?? 6), opacity: 1 }, 0, x + 12, y));
    }
    picture.append(g, text(t.name, x + 26, y + 4, { class: "legend" }));
  }
  return { picture, points };
}

// --- in the page: a tip at the nearest mark, a double click for the whole range, files of the figure ---------------------------------

let tip;
function hover(slot, event) {
  const { points, scale: k } = slot.drawn, box = slot.getBoundingClientRect(), [x, y] = [(event.clientX - box.left) / k, (event.clientY - box.top) / k];
  let nearest = null, least = 26;
  for (const point of points) { const d = Math.hypot(point.x - x, point.y - y); if (d < least) [nearest, least] = [point, d]; }
  tip ??= document.body.appendChild(make("div", { className: "tip", hidden: true }));
  tip.hidden = !nearest;
  if (!nearest) return null;
  tip.textContent = nearest.says;
  const right = box.left + nearest.x * k + 12, width = tip.offsetWidth;
  tip.style.left = `${Math.max(4, right + width > innerWidth - 4 ? right - width - 24 : right)}px`;
  tip.style.top = `${Math.max(4, box.top + nearest.y * k - tip.offsetHeight - 8)}px`;
  return nearest;
}
const STYLE = "text{fill:#3c4348;font-family:Helvetica,Arial,sans-serif}.grid{stroke:#dee1e2}.axis{stroke:#858b91}";
function file(slot) {  // the figure alone, in the colours of paper
  const copy = one("svg", slot).cloneNode(true), [, , width, height] = copy.getAttribute("viewBox").split(" ");
  for (const [name, value] of [["xmlns", "http://www.w3.org/2000/svg"], ["width", width], ["height", height]]) copy.setAttribute(name, value);
  copy.prepend(svg("style", {}, STYLE));
  return new XMLSerializer().serializeToString(copy);
}
function save(slot) {
  const name = `${slot.closest(".finding")?.id.slice(2) ?? ""} ${slot.getAttribute("aria-label") ?? "figure"}`.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 80);
  const link = make("a", { download: `${name || "figure"}.svg`, href: URL.createObjectURL(new Blob([file(slot)], { type: "image/svg+xml" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
}
function print(slot) {  // one page of the figure's size; every browser can save that as PDF
  const [, , width, height] = one("svg", slot).getAttribute("viewBox").split(" ");
  const alone = make("div", { className: "alone" }), sheet = make("style", { textContent: `@page { size: ${width}px ${height}px; margin: 0 }` });
  alone.append(one("svg", slot).cloneNode(true));
  root.classList.add("only-a-figure");
  document.body.append(alone, sheet);
  addEventListener("afterprint", () => { alone.remove(); sheet.remove(); root.classList.remove("only-a-figure"); }, { once: true });
  window.print();
}
const whole = (axis) => axis && { ...axis, range: undefined };

// Draw a figure into an element of the page; `chosen` is called with the customdata of a mark that is clicked.
function into(slot, figure, chosen) {
  const label = slot.getAttribute("aria-label") ?? "", W = Math.max(240, slot.clientWidth || 480), H = Math.max(160, slot.clientHeight || 280);
  const layout = slot.whole ? { ...figure.layout, xaxis: whole(figure.layout.xaxis), yaxis: whole(figure.layout.yaxis) } : figure.layout;
  const { picture, points } = draw({ ...figure, layout }, W, H, label);
  const first = !slot.drawn, button = (textContent, title, act) => { const b = make("button", { type: "button", textContent, title }); b.addEventListener("click", () => act(slot)); return b; };
  slot.drawn = { points, scale: Math.min((slot.clientWidth || W) / W, (slot.clientHeight || H) / H), W };
  slot.replaceChildren(picture, make("div", { className: "take" }, button("SVG", "Save this figure as SVG", save), button("PDF", "Print this figure alone: choose “Save as PDF”", print)));
  slot.redraw = () => into(slot, figure, chosen);
  if (!first) return;
  slot.addEventListener("pointermove", (event) => hover(slot, event));
  slot.addEventListener("pointerdown", (event) => hover(slot, event));
  slot.addEventListener("pointerleave", () => { if (tip) tip.hidden = true; });
  slot.addEventListener("dblclick", () => { slot.whole = !slot.whole; slot.redraw(); });
  if (chosen) slot.addEventListener("click", (event) => { const found = hover(slot, event); if (found?.of !== undefined) chosen(found.of); });
  resized.observe(slot);
}
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.clientWidth && Math.abs(target.clientWidth - target.drawn.W) > 8) target.redraw();
});
return { into, hover, file };
})();
