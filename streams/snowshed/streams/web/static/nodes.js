import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { brief, known, number, percent, status } from "./format.js";

const SHOWN = 100;
const ORDER = { dead: 0, suspect: 1, observer_suspect: 2, alive: 3, left: 4 };

export function filterNodes(text) {
  const field = byId("filter");
  field.value = field.value === text ? "" : text;
  field.dispatchEvent(new Event("input"));
  byId("nodes-panel").scrollIntoView({ block: "nearest" });
}

function create() {
  const name = h("td", { class: "name" });
  const chip = h("span", { class: "chip" });
  const [service, zone] = [0, 1].map(() => h("td", { class: "wide" }));
  const [since, seen, phi] = ["n wide", "n", "n wide"].map((name) => h("td", { class: name }));
  const meters = ["cpu", "memory", "pool"].map(meter);
  const node = h("tr", {}, name, h("td", {}, chip), service, zone, since, seen, ...meters.map((m) => m.cell), phi);
  return { node, name, chip, service, zone, since, seen, phi, meters };
}

function meter(field) {
  const fill = h("i");
  const text = h("span");
  return { field, fill, text, cell: h("td", { class: field === "pool" ? "meter wide" : "meter" }, h("span", { class: "gauge", "aria-hidden": "true" }, fill), text) };
}

function update(row, node, now) {
  const { tone, mark, word } = status(node.status, node.stale);
  setAttribute(row.node, "data-tone", tone);
  setText(row.name, node.node);
  setAttribute(row.name, "title", [node.host, node.domain].filter(Boolean).join(" · "));
  setText(row.chip, `${mark} ${word}`);
  setText(row.service, node.service);
  setText(row.zone, node.zone);
  setText(row.since, brief(now - node.since));
  setText(row.seen, brief(now - node.last_seen));
  setText(row.phi, known(node.phi) ? number(Math.min(node.phi, 99)) : "–");
  for (const { field, fill, text } of row.meters) {
    const value = node[field];
    setText(text, percent(value));
    fill.style.inlineSize = known(value) ? `${Math.min(100, value * 100)}%` : "0";
    setAttribute(fill, "data-tone", value >= 0.9 ? "bad" : value >= 0.75 ? "warn" : "ok");
  }
}

function matches(node, wanted) {
  return [node.node, node.service, node.zone, node.host, node.status].some((field) => field.toLowerCase().includes(wanted));
}

export function renderNodes(world, now) {
  byId("nodes-panel").hidden = world.nodes.length === 0;
  const wanted = byId("filter").value.trim().toLowerCase();
  const chosen = wanted ? world.nodes.filter((node) => matches(node, wanted)) : [...world.nodes];
  chosen.sort((one, other) => (ORDER[one.status] ?? 0) - (ORDER[other.status] ?? 0));
  const alive = world.nodes.filter((node) => node.status === "alive").length;
  setText(byId("nodes-count"), `${alive} of ${world.nodes.length} alive`);
  reconcile(byId("nodes"), chosen.slice(0, SHOWN), (node) => `${node.domain}|${node.node}`, create, (row, node) => update(row, node, now));
  const more = chosen.length - SHOWN;
  const note = chosen.length === 0 ? `No node matches “${wanted}”.` : more > 0 ? `${more} more; narrow the filter to see them.` : "";
  setText(byId("no-nodes"), note);
  byId("no-nodes").hidden = note === "";
}
