import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { known, number, perSecond, status } from "./format.js";

const FULL = 1.5; // V at which the gauge is full; from 1 on a trigger may leave the service unable to return

const bound = (value) => (known(value) ? number(value) : "?");

function create() {
  const name = h("td", { class: "name" });
  const chip = h("span", { class: "chip" });
  const fill = h("i");
  const text = h("span");
  const level = h("td", { class: "n" });
  const [inflow, throughput, demand] = ["n", "n", "n wide"].map((name) => h("td", { class: name }));
  const gauge = h("td", { class: "meter" }, h("span", { class: "gauge", "aria-hidden": "true" }, fill), text);
  return { node: h("tr", {}, name, h("td", {}, chip), level, inflow, throughput, demand, gauge), name, chip, level, inflow, throughput, demand, gauge, fill, text };
}

function update(row, service, levels) {
  const { tone, mark, word } = status(service.status, service.stale);
  const [low, high] = [service.vulnerability_low, service.vulnerability_high];
  const worst = known(high) ? high : low;
  setAttribute(row.node, "data-tone", tone);
  setText(row.name, service.service);
  setText(row.chip, `${mark} ${word}`);
  setText(row.level, levels.get(service.service) ?? 0);
  setText(row.inflow, perSecond(service.inflow));
  setText(row.throughput, perSecond(service.throughput));
  setText(row.demand, perSecond(service.demand));
  setText(row.text, known(low) || known(high) ? `${bound(low)} – ${bound(high)}` : "–");
  setAttribute(row.gauge, "title", service.vulnerability_method);
  row.fill.style.inlineSize = known(worst) ? `${Math.min(100, (worst / FULL) * 100)}%` : "0";
  setAttribute(row.fill, "data-tone", low > 1 ? "bad" : worst > 1 ? "warn" : "ok");
}

function degradeLevels(decisions) {
  const levels = new Map();
  for (const { scope, degrade_level: level, mode } of decisions) {
    if (known(level) && mode === "enforce") levels.set(scope, Math.max(level, levels.get(scope) ?? 0));
  }
  return levels;
}

export function renderServices(world) {
  byId("services-panel").hidden = world.services.length === 0;
  setText(byId("services-count"), world.services.length || "");
  const levels = degradeLevels(world.decisions);
  reconcile(byId("services"), world.services, (one) => `${one.domain}|${one.service}`, create, (row, one) => update(row, one, levels));
}
