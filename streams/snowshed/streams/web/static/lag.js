import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { duration, known, number, percent, plural, status } from "./format.js";

// Puts 0 at the left, the objective in the middle and infinity at the right, so that all replicas compare at a glance.
const position = (seconds, objective) => seconds / (seconds + objective);

function create() {
  const name = h("span", { class: "scope" });
  const system = h("span", { class: "quiet" });
  const chip = h("span", { class: "chip" });
  const value = h("span", { class: "value" });
  const interval = h("i");
  const more = h("p", { class: "quiet" });
  const node = h("li", {}, h("div", { class: "line" }, name, system, chip, value), h("div", { class: "track", "aria-hidden": "true" }, interval, h("b")), more);
  return { node, name, system, chip, value, interval, more };
}

function update(row, lag) {
  const { tone, mark, word } = status(lag.status, lag.stale);
  const low = known(lag.low) ? Math.max(0, lag.low) : 0;
  const high = known(lag.high) ? lag.high : Infinity;
  const start = position(low, lag.slo);
  const end = Number.isFinite(high) ? position(high, lag.slo) : 1;
  setAttribute(row.node, "data-tone", tone);
  setText(row.name, `${lag.dataset} / ${lag.replica}`);
  setText(row.system, lag.system);
  setText(row.chip, `${mark} ${word}`);
  const range = Number.isFinite(high) ? `${duration(low)} – ${duration(high)}` : `at least ${duration(low)}`;
  const bytes = known(lag.bytes_behind) ? `, ${number(lag.bytes_behind)}B behind` : "";
  setText(row.value, range);
  setAttribute(row.value, "title", `objective ${duration(lag.slo)}${bytes}, polled every ${duration(lag.poll_period)}`);
  row.interval.style.insetInlineStart = `${start * 100}%`;
  row.interval.style.inlineSize = `max(4px, ${(end - start) * 100}%)`;
  const told = beyond(lag);
  setText(row.more, told);
  row.more.hidden = told === "";
}

// What readers see, what a group or quorum says of itself, and what is left of the error budget.
function beyond(lag) {
  return [
    [lag.condition, lag.note].filter(Boolean).join(": "),
    known(lag.tolerates) && `bears ${plural(lag.tolerates, "more failure")}`,
    known(lag.t99) && `99 % of writes visible after ${duration(lag.t99)}`,
    known(lag.stale_share) && `${percent(lag.stale_share)} of reads miss a write ${duration(lag.stale_age)} old`,
    known(lag.budget_left) && `${percent(lag.budget_left)} of the error budget left`,
    lag.alert && `burns ${number(lag.burn)} times too fast: ${lag.alert}`,
  ].filter(Boolean).join(" · ");
}

export function renderLag(world) {
  byId("lag-panel").hidden = world.lag.length === 0;
  setText(byId("lag-count"), world.lag.length || "");
  reconcile(byId("lag"), world.lag, (lag) => `${lag.domain}|${lag.dataset}|${lag.replica}`, create, update);
}
