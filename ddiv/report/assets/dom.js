// What both pages' scripts begin with: they are joined inside one function, see document.py.
const root = document.documentElement;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};
const plain = (text) => String(text ?? "");
const show = (x, sign = false, digits = 3) => typeof x !== "number" || !Number.isFinite(x) ? String(x ?? "—")
  : (sign && x > 0 ? "+" : "") + String(Number(x.toPrecision(digits))).replace("-", "−");
