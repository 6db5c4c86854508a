// Several named curves over the same places, as a question of experiments brings them.
KINDS.lines = (p) => {
  const x = p.x ?? [], names = x.map((v) => isNumber(v) ? show(v) : v ?? "\u2014"), positive = x.filter((v) => isNumber(v) && v > 0);
  const even = !x.every(isNumber) || Math.max(...positive) > 20 * Math.min(...positive);
  const at = even ? x.map((_, i) => i) : x, palette = [CLAIMED, SPECIFIC, ARM, RATE, LENGTH, "#c2557a", "#7b858e"];
  const traces = (p.names ?? []).flatMap((name, k) => {
    const rows = p.series?.[k] ?? [], color = palette[k % palette.length], symbol = ["circle", "diamond", "square", "triangle-up"][k % 4];
    const told = (y, text) => y.map((v, i) => `${plain(name)}, ${text}\n${plain(names[i])}: ${show(v)}`);
    const curve = (y, text, more) => ({ x: at, y, type: "scatter", hoverinfo: "text", legendgroup: name, connectgaps: true, text: told(y, text), ...more });
    return [
      ...rows.map((s) => curve(s.y, `seed ${plain(s.seed)}`, { mode: "lines", opacity: .35, showlegend: false, line: { color, width: 1 } })),
      curve(x.map((_, i) => mean(rows.map((s) => s.y?.[i]))), `mean of ${rows.length}`,
        { mode: "lines+markers", name: plain(name), line: { color, width: 2.5 }, marker: { color, size: 7, symbol } }),
    ];
  });
  return { traces, layout: layout(p.xlabel, "", { xaxis: even ? named(names) : {} }) };
};
