// --- the paper's pictures: plots of a study's table of changes, its data's diversity, its spectra ---------------

const dashed = { width: 1, dash: "dash", color: "#8a939b" };
const cross = ({ x, y }) => [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: dashed, layer: "below" },
  { type: "line", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, line: dashed, layer: "below" }];
const called = (metric) => data().names[metric] ?? metric;

// What the page keeps in few digits as numbers again: see thinned.py.
function whole_numbers(data) {
  const stepped = ({ step, rows: [first, ...others] }) => [first.map((v) => isNumber(v) ? v * step : null),
    ...others.map((row) => row.map((v, k) => isNumber(v) ? (v + (first[k] ?? 0)) * step : null))];
  for (const { changes, densities } of Object.values(data.materials ?? {})) {
    const values = changes?.values ?? {};
    for (const [layers, of] of Object.entries(values)) if (typeof of === "string") values[layers] = values[of]; else for (const metric of Object.keys(of)) of[metric] = stepped(of[metric]);
    for (const layer of densities?.layers ?? []) for (const { log } of [layer.after, layer.before])
      if (log.x.n) { const { from, to, n } = log.x; log.x = log.y.map((_, i) => from * (to / from) ** (i / (n - 1))); }
  }
  return data;
}

// The arms of some groups: the baseline at its median, the others at their median distance from it at equal seeds.
function placed({ arms, seeds, values }, view, x, y, groups) {
  const [xs, ys] = [x, y].map((metric) => values[view]?.[metric]), base = arms.findIndex((arm) => arm.group === "baseline");
  if (!xs || !ys) return [];
  const at = (table, i) => i === base ? median(table[i])
    : median(table[base]) + median(table[i].map((v, k) => isNumber(v) && isNumber(table[base][k]) ? v - table[base][k] : null));
  return arms.flatMap((arm, i) => (i === base || !groups || groups.includes(arm.group)) && [xs[i], ys[i]].every((row) => row.some(isNumber))
    ? [{ ...arm, x: at(xs, i), y: at(ys, i), each: seeds.flatMap((seed, k) => isNumber(xs[i][k]) ? [`seed ${plain(seed)}: ${show(xs[i][k])}, ${show(ys[i][k])}`] : []) }] : []);
}

Object.assign(KINDS, {
  shape({ study, view, x, y, groups, labels }) {  // figures 3, 4, 6 to 12
    const points = placed(data().materials[study].changes, view, x, y, groups), base = points.find((q) => q.group === "baseline");
    const diverse = points.map((q) => q.diversity).filter(isNumber), low = Math.min(...diverse), span = Math.max(...diverse) - low || 1;
    const traces = [...new Set(points.map((q) => q.group))].flatMap((group) => {
      const s = style(group), mine = points.filter((q) => q.group === group).sort((a, b) => (a.dose ?? 0) - (b.dose ?? 0));
      const trail = base && ["dropout", "weight decay"].includes(group) ? [base, ...mine] : [];
      const worded = (q, i) => q !== base && (labels || /^(dropout|weight decay|very large dropout)$/.test(group) && i === mine.length - 1);
      return [{ type: "scatter", mode: "lines", x: trail.map((q) => q.x), y: trail.map((q) => q.y), line: { color: s.color, width: 1 }, opacity: .45, hoverinfo: "skip" },
        { type: "scatter", mode: "markers+text", x: mine.map((q) => q.x), y: mine.map((q) => q.y), hoverinfo: "text", cliponaxis: false,
          text: mine.map((q, i) => worded(q, i) ? plain(q.label) : ""), textposition: "top center", textfont: { size: labels ? 10 : 9 },
          hovertext: mine.map((q) => [`${plain(q.label)}`, `Δ ${plain(called(x))}: ${show(q.x)}`, `Δ ${plain(called(y))}: ${show(q.y)}`,
            ...(isNumber(q.diversity) ? [`embedding Vendi Score: ${show(q.diversity)}`] : []), ...q.each].join("\n")),
          marker: { symbol: s.symbol, opacity: .95, size: mine.map((q) => s.size ?? 7 + 11 * (q.dose ?? .3)),
            color: mine.map((q) => group === "augmentation" && isNumber(q.diversity) ? ramp((q.diversity - low) / span) : s.color),
            line: { width: /thin/.test(s.symbol) ? 2.5 : 1.2, color: s.color } } }];
    });
    const axis = (key) => ({ showgrid: true, ...roomy(points.map((q) => q[key])) });
    return { traces, layout: layout(`Δ ${called(x)}`, `Δ ${called(y)}`, { shapes: base ? cross(base) : [], showlegend: false, xaxis: axis("x"), yaxis: axis("y") }) };
  },
  vendi({ study, space }) {  // figure 1
    const { arms, classes } = data().materials[study].diversity, word = (arm) => arm.label.replace(/^synthetic /, "");
    const sorted = [arms[0], ...arms.slice(1).sort((a, b) => mean(a[space]) - mean(b[space]))], red = "#c8372d", plainScore = mean(arms[0][space]);
    const traces = [], left = classes.length ? .4 : 0;
    if (classes.length) {
      traces.push({ type: "scatter", mode: "lines+markers", x: classes.map((c) => c.count), y: classes.map((c) => mean(c[space])), name: "by number of classes",
        line: { color: red, width: 2.5 }, marker: { color: red, size: 7 }, hoverinfo: "text", text: classes.map((c) => `${c.count} classes, ${c.n} examples\n${show(mean(c[space]))}`) });
      traces.push({ type: "scatter", mode: "markers", hoverinfo: "skip", marker: { color: red, size: 4, opacity: .45 },
        x: classes.flatMap((c) => c[space].map(() => c.count)), y: classes.flatMap((c) => c[space]) });
    }
    for (const group of new Set(sorted.map((arm) => arm.group))) {
      const s = style(group), mine = sorted.map((arm, i) => [arm, i]).filter(([arm]) => arm.group === group), flat = (f) => mine.flatMap(([arm, i]) => arm[space].map((v) => f(v, i)));
      traces.push({ type: "scatter", mode: "markers", xaxis: "x2", x: flat((_, i) => i), y: flat((v) => v), hoverinfo: "skip", marker: { color: s.color, size: 4, opacity: .45 } });
      traces.push({ type: "scatter", mode: "markers", xaxis: "x2", x: mine.map(([, i]) => i), y: mine.map(([arm]) => mean(arm[space])), hoverinfo: "text",
        text: mine.map(([arm]) => `${plain(arm.label)}\n${show(mean(arm[space]))}`), marker: { color: s.color, symbol: s.symbol, size: s.size ?? 10, line: { width: /thin/.test(s.symbol) ? 2.5 : 0, color: s.color } } });
    }
    const figure = layout("classes", "Vendi Score", { showlegend: false, shapes: [{ type: "line", xref: "x2 domain", x0: 0, x1: 1, y0: plainScore, y1: plainScore, line: dashed, layer: "below" }] });
    figure.xaxis = { ...figure.xaxis, domain: [0, left - .03], visible: classes.length > 0 };
    figure.xaxis2 = { ...figure.xaxis, ...named(sorted.map(word)), title: { text: "" }, domain: [left, 1], anchor: "y", visible: true, showgrid: false, tickangle: -60, tickfont: { size: 10 }, range: [-.6, sorted.length - .4] };
    if (!classes.length) delete figure.xaxis.domain;
    return { traces, layout: figure, height: 400 };
  },
  density({ study, layer, state, panel }) {  // figure 2
    const [traces, figure] = esd.panels[panel][1](data().materials[study].densities.layers[layer][state]);
    return { traces, layout: figure };
  },
  depth({ study, metric, only }) {
    const { names, kinds, values } = data().materials[study].changes.layers, shown = names.map((_, i) => i).filter((i) => !only || kinds[i] === only);
    const label = (i) => plain(names[i].replace(/^encoder\.(visual\.)?(transformer\.resblocks\.)?/, "").replace(/\.pooled$/, ""));
    const traces = Object.entries(values[metric] ?? {}).map(([group, ys]) => ({ type: "scatter", mode: "lines+markers", name: group === "augmentation" ? "augmentation (mean)" : group === "baseline" ? group : `largest ${group}`,
      x: shown.map((_, k) => k), y: shown.map((i) => ys[i]), connectgaps: false, hoverinfo: "text", text: shown.map((i) => `${label(i)} (${plain(kinds[i])})\n${plain(group)}: ${show(ys[i], true)}`),
      line: { color: style(group).color, width: 1.5 }, marker: { color: style(group).color, size: 7, symbol: group === "baseline" ? "circle" : style(group).symbol } }));
    return { traces, layout: layout("", `Δ ${called(metric)}`, { shapes: [zero], xaxis: { ...named(shown.map(label)), tickangle: -50, tickfont: { size: 10 }, showgrid: true } }), height: 430 };
  },
});

// --- which panels a picture has, by what is chosen in its form ------------------------------------------------------

const title = (id) => data().studies[id] ?? id;
// Texts have no pixels.
const spaces = (id) => ["pixel", "embedding"].filter((space) => data().materials[id].diversity.arms[0][space]);
const PICTURES = {
  "scale-shape"(p, chosen) {
    const every = !chosen.study || p.by === "pair" && !chosen.x;
    const studies = chosen.study ? [chosen.study] : p.by === "pair" ? p.studies.slice(0, 1) : p.studies, metrics = (id) => data().materials[id].changes.metrics;
    const pairs = chosen.x && chosen.y ? [[chosen.x, chosen.y]] : p.by === "pair" ? p.pairs : p.pairs.slice(0, 1), groups = chosen.all ? null : p.groups;
    return studies.flatMap((study) => pairs.filter((pair) => pair.every((metric) => metrics(study).includes(metric))).map(([x, y]) => ({
      title: p.by === "pair" ? `${called(x)} and ${called(y)}` : title(study), kind: "shape", study, view: chosen.view, x, y, groups, labels: !every })));
  },
  diversity: (p, chosen) => spaces(chosen.study || p.studies[0]).map((space) => ({ title: `by ${space}s`, kind: "vendi", study: chosen.study || p.studies[0], space })),
  density: (p, chosen) => esd.panels.map(([name], panel) => ({ title: name, kind: "density", study: chosen.study || p.studies[0], layer: chosen.layer, state: chosen.state, panel })),
  relation(p, chosen) {
    const study = chosen.study || p.studies[0], { arms, correlations } = data().materials[study].diversity;
    return ["id", "ood"].flatMap((place) => spaces(study).flatMap((space) => {
      const told = correlations[`${space}/${place}`], points = arms.filter((arm) => isNumber(arm[place])).map((arm) => ({ label: arm.label, group: arm.group, x: mean(arm[space]), y: arm[place] }));
      const where = place === "id" ? "in domain" : "mean out of domain";
      return points.length ? [{ title: `${where}, by ${space}s${told ? `: r ${show(told.pearson, true, 2)}, ρ ${show(told.spearman, true, 2)}` : ""}`, kind: "relation", quiet: true, points, xlabel: `Vendi Score (${space})`, ylabel: `accuracy, ${where}` }] : [];
    }));
  },
  layers: (p, chosen) => [{ title: title(chosen.study || p.studies[0]), kind: "depth", study: chosen.study || p.studies[0], metric: chosen.metric, only: chosen.only }],
};
// The choices of a form: name, label, [value, text] from the picture and what is chosen so far.
const FORMS = {
  "scale-shape": (p) => [studyChoice(p, p.by !== "pair"),
    ["view", "layers", (id) => shared(p, id, "views").sort((a, b) => (b === (p.view ?? "classifier")) - (a === (p.view ?? "classifier"))).map((view) => [view, view])],
    ["x", "across", (id) => [...(p.by === "pair" ? [["", "as in the figure"]] : []), ...shared(p, id, "metrics").map((metric) => [metric, called(metric)])], p.by === "pair" ? "" : p.pairs[0][0]],
    ["y", "up", (id) => [...(p.by === "pair" ? [["", "as in the figure"]] : []), ...shared(p, id, "metrics").map((metric) => [metric, called(metric)])], p.by === "pair" ? "" : p.pairs[0][1]]],
  diversity: (p) => [studyChoice(p)],
  relation: (p) => [studyChoice(p)],
  density: (p) => [studyChoice(p), ["layer", "layer", (id) => data().materials[id || p.studies[0]].densities.layers.map((layer, i) => [i, `${layer.name} (${layer.kind})`]), null],
    ["state", "weights", () => [["after", "after training"], ["before", "before training"]]]],
  layers: (p) => [studyChoice(p), ["metric", "metric", (id) => shared(p, id, "metrics").map((metric) => [metric, called(metric)]), "alpha"],
    ["only", "kind of layer", (id) => [["", "every kind"], ...[...new Set(data().materials[id || p.studies[0]].changes.layers.kinds)].map((kind) => [kind, kind])]]],
};
const shared = (p, id, part) => [...new Set((id ? [id] : p.studies).flatMap((study) => data().materials[study].changes[part]))];
const studyChoice = (p, every = false) => ["study", "study", () => [...(every && p.studies.length > 1 ? [["", "all studies"]] : []), ...p.studies.map((id) => [id, title(id)])]];

function picture(node, p) {
  const form = one("form", node), panels = one(".panels", node), choices = FORMS[p.kind](p);
  const selects = choices.map(([name, label]) => {
    const select = make("select", { name });
    form.append(make("label", {}, `${label} `, select));
    return select;
  });
  if (p.kind === "scale-shape") form.append(make("label", {}, make("input", { type: "checkbox", name: "all" }), " every arm"));
  const chosen = () => Object.fromEntries(new FormData(form));
  const fill = (from) => choices.forEach(([, , options, preset], i) => {
    if (i < from) return;
    const was = selects[i].value, offered = options(chosen().study);
    selects[i].replaceChildren(...offered.map(([value, textContent]) => make("option", { value, textContent })));
    const values = offered.map(([value]) => String(value)), wanted = from && values.includes(was) ? was : preset === undefined ? values[0] : String(preset ?? feedForward(p, chosen().study));
    selects[i].value = values.includes(wanted) ? wanted : values[0];
    selects[i].parentElement.hidden = offered.length < 2;
  });
  const redraw = () => {
    const plots = PICTURES[p.kind](p, chosen());
    panels.replaceChildren(...plots.map(({ title: says, ...figure }) => {
      const slot = make("div", { className: "plot", figure });
      slot.setAttribute("role", "img");
      slot.setAttribute("aria-label", `${p.label}: ${says}`);
      seen.observe(slot);
      return make("figure", {}, make("figcaption", { textContent: says }), slot);
    }));
    if (!plots.length) panels.textContent = "Nothing was measured for this choice.";
    panels.dataset.n = p.kind === "relation" || p.kind === "diversity" ? Math.min(2, plots.length) : Math.min(3, plots.length);
    one(".legend", node).replaceChildren(...legend(p, chosen()));
    count();
    if (drawingAll) drawAll();
  };
  form.addEventListener("change", (event) => { if (event.target.name === "study") fill(1); redraw(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  fill(0);
  redraw();
}
const feedForward = (p, id) => Math.max(0, data().materials[id || p.studies[0]].densities.layers.findLastIndex((layer) => layer.kind === "mlp"));

const SIGNS = { square: "■", "square-open": "□", diamond: "◆", "triangle-up": "▲", "triangle-down": "▼", circle: "●", hexagon: "⬢", star: "★" };
function legend(p, chosen) {
  if (p.kind === "density") return [esd.legend(data().materials[chosen.study || p.studies[0]].densities.layers[chosen.layer][chosen.state])];
  if (p.kind === "layers") return [];
  const there = (id) => p.kind === "scale-shape" ? data().materials[id].changes.arms : data().materials[id].diversity.arms;
  const groups = new Set((chosen.study ? [chosen.study] : p.studies).flatMap((id) => there(id).map((arm) => arm.group)));
  return [...groups].filter((group) => p.kind !== "scale-shape" || chosen.all || group === "baseline" || p.groups.includes(group)).map((group) => {
    const sign = make("b", { textContent: SIGNS[style(group).symbol] ?? (group === "baseline" ? "+" : "×") });
    sign.style.color = style(group).color;
    const more = group !== "augmentation" || p.kind !== "scale-shape" ? [] : [0, .5, 1].map((t) => make("b", { textContent: "▲", style: `color:${ramp(t)}` }));
    return make("span", {}, sign, ` ${group ?? "—"}`, ...(more.length ? [" (", ...more, " less to more diverse)"] : []));
  });
}
function pictured(node) {
  const p = data().pictures.find(({ id }) => id === node.dataset.picture);
  if (p && FORMS[p.kind] && p.studies.length) picture(node, p);
}
