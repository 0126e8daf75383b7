// Text from records only ever becomes textContent or an attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function setText(node, value) {
  if (node.textContent !== String(value)) node.textContent = value;
}

const rows = new WeakMap();

// Keeps one child for each item, so that focus, selection and open details survive an update.
export function reconcile(parent, items, keyOf, create, update) {
  const held = rows.get(parent) ?? new Map();
  const kept = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const row = held.get(key) ?? create(item);
    update(row, item);
    kept.set(key, row);
    if (row.node === place) place = place.nextSibling;
    else parent.insertBefore(row.node, place);
  }
  for (const [key, row] of held) if (kept.get(key) !== row) row.node.remove();
  rows.set(parent, kept);
}
