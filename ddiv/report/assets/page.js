let parsed;
const data = () => parsed ??= JSON.parse(one("#data").textContent);

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
  if (!event.target.open || !event.target.matches(".finding") || drawingAll) return;
  for (const slot of all(".plot", event.target)) draw(slot);
  count();
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
  const visible = new Map(), hidden = new Set();
  let shown = 0;
  for (const { node, claim, text } of texts()) {
    const keep = (!study || node.dataset.study === study) && (!verdicts.length || verdicts.includes(node.dataset.verdict))
      && only.every((flag) => flag in node.dataset) && words.every((word) => text.includes(word));
    node.hidden = !keep;
    if (!keep) hidden.add(node.id);
    shown += keep;
    if (keep) visible.set(claim, (visible.get(claim) ?? new Set()).add(node.dataset.study));
  }
  for (const claim of all(".claim")) claim.hidden = on && !visible.has(claim);
  for (const family of all("section.family")) family.hidden = !one(".claim:not([hidden])", family);
  for (const row of all("#findings .matrix [data-claim]")) {
    const studies = visible.get(document.getElementById(row.dataset.claim));
    row.hidden = on && !studies;
    for (const cell of all("td[data-study]", row)) cell.classList.toggle("off", on && !studies?.has(cell.dataset.study));
  }
  for (const row of all("#catalogue tbody tr")) row.hidden = hidden.has(row.dataset.of);
  for (const body of all("#findings .matrix tbody")) body.hidden = !one("[data-claim]:not([hidden])", body);
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

pictures();
for (const slot of slots()) seen.observe(slot);
count();
arrive();
root.dataset.readyMs = Math.round(performance.now());
