// --- parts of the page that are packed: inflated when something of them is looked at (see packing.py) ------------

const TOO_OLD = "This browser is too old to open this part: Chrome or Edge 80, Firefox 113, Safari 16.4 or later can.";
const blocks = {};
const LETTERS = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 33 + i)).replace(/["&<]/g, "");
function bytes_of(text) {  // two letters are 13 bits, a single last one 6
  const place = new Uint8Array(128), even = text.length & ~1, bytes = new Uint8Array((even / 2 * 13 + 6 * (text.length - even)) >> 3);
  [...LETTERS].forEach((letter, i) => { place[letter.charCodeAt(0)] = i; });
  const number = (i) => place[text.charCodeAt(i)];
  let bits = 0, n = 0, at = 0;
  const add = (value, count) => { for (bits = bits << count | value, n += count; n >= 8; bits &= (1 << n) - 1) bytes[at++] = bits >> (n -= 8); };
  for (let i = 0; i < even; i += 2) add(number(i) * 91 + number(i + 1), 13);
  if (even < text.length) add(number(even), 6);
  return bytes;
}
async function inflate(name) {
  if (!window.DecompressionStream) throw new Error(TOO_OLD);
  const bytes = bytes_of(one(`#packed-${name}`).textContent);
  const stream = new DecompressionStream("deflate"), writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  return JSON.parse(await new Response(stream.readable).text());
}
const unpack = (name) => blocks[name] ??= one(`#packed-${name}`) ? inflate(name) : Promise.resolve({});
let listed;  // once: each part that is opened asks for it
const rows_of = () => listed ??= unpack("index").then(({ index = {} }) => {  // of each finding: anchor, claim's anchor, study, verdict, marks
  const { anchor = [], of, study, verdict, marks } = index;
  return anchor.map((name, i) => [name, of[i], study[i], verdict[i], marks[i].split(" ")]);
});
let known;
const data = () => known;  // what plots are drawn from; after `ready`
const ready = async () => { known ??= whole_numbers(await unpack("data")); };
// The HTML of a part: markup that many parts share, and the texts in it.
function html_of(block, place, which = 0) {
  const { markup, texts, places, parts } = block, found = block.found ??= new Map(places.map((name, i) => [name, i]));
  const [alike, ...own] = parts[found.get(place) + which] ?? [], [first = "", ...after] = markup[alike] ?? [];
  return first + after.map((more, i) => (typeof own[i] === "number" ? texts[own[i]] : own[i]) + more).join("");
}

// Put what belongs into a closed part where it is missing. Its text was escaped when the page was written.
async function fill(node) {
  if (!node.dataset.in || node.filled) return node.filled;
  return node.filled = (async () => {
    try {
      if (node.matches("[data-picture], .finding")) await ready();
      const block = await unpack(node.dataset.in), index = await rows_of(), part = (place, which) => html_of(block, place, which);
      const rows = node.matches(".claim") ? index.filter(([, of]) => of === node.id).map(([anchor]) => part(anchor)) : [];
      node.insertAdjacentHTML("beforeend", part(node.id, node.matches(".finding") ? 1 : 0) + rows.join(""));
      if (node.id === "catalogue") one("tbody", node).append(...index.map(([anchor, of]) => entry(anchor, of, part)));
      for (const cell of all(".evidence td", node)) all(".seed", cell).forEach((of, seed) => { of.title ||= `seed ${seed}`; });
      for (const code of all("[data-trials]", node)) code.textContent = keys(code.dataset.trials);
      if (node.dataset.picture) pictured(node);
      for (const slot of all(".plot", node)) seen.observe(slot);
      if (filtered) show_only(filtered);
    } catch (error) {
      node.append(make("p", { className: "alarm", textContent: error.message }));
      if (error.message !== TOO_OLD) console.error(node.id, error);
    }
    count();
  })();
}
// A finding's line in the table of all findings: what its row says, and why.
function entry(anchor, of, part) {
  const inside = (html) => Object.assign(make("template"), { innerHTML: html }).content;
  const row = inside(part(anchor)), text = (selector) => one(selector, row)?.textContent ?? "—";
  const [claim, control] = claims[of] ??= (({ content }) => [one(".id", content).textContent, one(".guards", content) !== null])({ content: inside(part(of)) });
  const cell = (child, more) => make("td", more, ...[child].flat().filter(Boolean)), number = one(".effect", row).firstChild.textContent;
  const failed = one(".finding", row).matches("[data-failing]"), title = one(`#${CSS.escape(of)} h3`).textContent;
  const line = make("tr", {}, make("th", { scope: "row" }, make("a", { href: `#${anchor}`, textContent: claim, title })),
    cell(text(".study"), { title: one(".study", row).title }), cell(one(".variant", row).firstChild.textContent, { className: "variant" }),
    cell([one(".v", row), control && make("small", { className: `mark${failed ? " con" : ""}`, textContent: "control" })]),
    cell(number, { className: "num" }), cell(text(".effect small")), cell(text(".n"), { className: "num" }),
    cell(one(".row > .specific .v", row) ?? "—"), cell(one(".why", inside(part(anchor, 1)))?.textContent, { className: "why" }));
  line.dataset.of = anchor;
  return line;
}
const claims = {};
const keys = (places) => places.split(" ").filter(Boolean).flatMap((part) => {
  const [from, to] = part.split("-").map(Number);
  return data().trials.slice(from, (to ?? from) + 1);
}).join(" ");

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
    drawer.into(slot, figure);
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
document.addEventListener("toggle", async ({ target }) => {
  if (!target.open || !target.dataset.in) return;
  await fill(target);
  if (!target.matches(".finding") || drawingAll) return;
  for (const slot of all(".plot", target)) draw(slot);
  count();
}, true);

const button = one("#open-all");
async function openAll(open) {
  drawingAll = open;
  if (open) {
    button && (button.disabled = true);
    await ready();
    for (const kind of [".claim, .picture, #catalogue", ".finding"]) await Promise.all(all(kind).map(fill));
    button && (button.disabled = false);
  }
  for (const node of all("details.claim, details.finding, details.picture")) node.open = open;
  if (open) drawAll();
  if (button) button.textContent = open ? "close all" : "open all";
}
button?.addEventListener("click", () => openAll(button.textContent === "open all"));

// --- filters ------------------------------------------------------------------------------------------------

const form = one("form.filters[role=search]");
const entities = { amp: "&", lt: "<", gt: ">", "#34": '"', "#39": "'" };
const words_of = (html) => html.replace(/<[^>]*>/g, " ").replace(/&(amp|lt|gt|#34|#39);/g, (_, name) => entities[name]);
let index, filtered = null;
async function findings() {  // [anchor, claim's anchor, study, verdict, marks], and all words of it
  if (index) return index;
  const block = await unpack("parts"), words = (place, which) => words_of(html_of(block, place, which));
  const said = new Map(all(".claim").map((node) => [node.id, one("summary", node).textContent + words(node.id)]));
  return index = (await rows_of()).map(([anchor, of, study, verdict, marks]) => (
    { anchor, of, study, verdict, marks, text: () => (said.get(of) + words(anchor) + words(anchor, 1)).toLowerCase() }));
}
async function filter() {
  const words = one("#q").value.toLowerCase().split(/\s+/).filter(Boolean), study = one("#study").value;
  const ticked = (name) => all(`[name=${name}]:checked`, form).map((box) => box.value);
  const verdicts = ticked("verdict"), only = ticked("only");
  const on = words.length + verdicts.length + only.length > 0 || study !== "";
  if (!on && !filtered) return;
  const chosen = (await findings()).filter((f) => (!study || f.study === study) && (!verdicts.length || verdicts.includes(f.verdict))
    && only.every((mark) => f.marks.includes(mark)) && (!words.length || ((text) => words.every((word) => text.includes(word)))(f.words ??= f.text())));
  const claims = new Map();
  for (const f of chosen) claims.set(f.of, (claims.get(f.of) ?? new Set()).add(f.study));
  filtered = { on, shown: new Set(chosen.map((f) => f.anchor)), claims };
  show_only(filtered);
  one("#shown").textContent = on ? `${chosen.length} of ${index.length} findings` : `${index.length} finding${index.length === 1 ? "" : "s"}`;
  one("#nothing").hidden = chosen.length > 0;
  one("[type=reset]", form).hidden = !on;
  if (!on) filtered = null;
}
function show_only({ on, shown, claims }) {
  for (const node of all(".finding")) node.hidden = on && !shown.has(node.id);
  for (const claim of all(".claim")) claim.hidden = on && !claims.has(claim.id);
  for (const family of all("section.family")) family.hidden = !one(".claim:not([hidden])", family);
  for (const row of all("#findings .matrix [data-claim]")) {
    const studies = claims.get(row.dataset.claim);
    row.hidden = on && !studies;
    for (const cell of all("td[data-study]", row)) cell.classList.toggle("off", on && !studies?.has(cell.dataset.study));
  }
  for (const row of all("#catalogue tbody tr")) row.hidden = on && !shown.has(row.dataset.of);
  for (const body of all("#findings .matrix tbody")) body.hidden = !one("[data-claim]:not([hidden])", body);
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
function place() {  // the anchor that the address names; one that is no encoded text stands for itself
  const hash = location.hash.slice(1);
  try { return decodeURIComponent(hash); } catch { return hash; }
}
async function target_of(name) {
  if (!name || document.getElementById(name)) return document.getElementById(name);
  const found = name.startsWith("f-") && (await rows_of()).find(([anchor]) => anchor === name);
  if (found) await fill(document.getElementById(found[1]));
  return document.getElementById(name);
}
async function arrive() {
  if (["#all", "?all"].includes(location.hash) || location.search === "?all") return openAll(true);
  const marked = study, target = await target_of(place());
  study = null;
  if (!target) return;
  if (target.closest("[hidden]")) form?.reset();
  for (let node = target; node; node = node.parentElement?.closest("details")) if (node.tagName === "DETAILS") { await fill(node); node.open = true; }
  setTimeout(() => target.scrollIntoView());
  for (const row of all(".finding.marked")) row.classList.remove("marked");
  for (const row of all(".finding", target)) row.classList.toggle("marked", row.dataset.study === marked);
  one("summary", target)?.focus({ preventScroll: true });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link) {
    study = link.closest("td")?.dataset.study ?? null;
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
  const value = (row) => { const cell = row.children[column]; return numeric ? parseFloat(cell.textContent.replace("−", "-")) : cell.textContent.toLowerCase(); };
  const rows = [...body.rows].map((row) => [value(row), row]), sign = down ? -1 : 1;
  rows.sort(([a], [b]) => numeric ? isNaN(a) - isNaN(b) || sign * (a - b) || 0 : sign * a.localeCompare(b));
  for (const other of all("[aria-sort]", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows.map(([, row]) => row));
});

// A page of a run in progress is loaded again while nobody reads further than its first screen.
const banner = one("#progress");
if (banner) setTimeout(() => { if (scrollY < 300 && !one("details[open]") && !filtered) location.reload(); }, 1000 * banner.dataset.again);

for (const node of all("details[data-in][open]")) fill(node);
count();
arrive();
root.dataset.readyMs = Math.round(performance.now());
