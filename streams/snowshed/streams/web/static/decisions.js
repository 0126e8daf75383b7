import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { duration, elapsed, known, number, percent, perSecond } from "./format.js";

const CLASSES = ["CRITICAL_PLUS", "CRITICAL", "SHEDDABLE_PLUS", "SHEDDABLE"];

const EFFECTS = {
  rate: (d) => [
    known(d.rate_multiplier) && `admit ${percent(d.rate_multiplier)} of the rate before the incident`,
    known(d.absolute_cap) && `at most ${perSecond(d.absolute_cap)} in all`,
    known(d.per_instance_fallback) && `${perSecond(d.per_instance_fallback)} a process where its share is unknown`,
    d.priority_floor && `only ${CLASSES[d.priority_floor.level] ?? d.priority_floor.level}, cohort ${d.priority_floor.cohort}, and above`,
  ],
  retry: (d) => [
    known(d.retry_budget) && (d.retry_budget === 0 ? "no retries" : `retries at most ${percent(d.retry_budget)} of first attempts`),
    known(d.attempt_cap) && `at most ${number(d.attempt_cap)} attempts a call`,
    known(d.timeout) && `time out after ${duration(d.timeout)}`,
  ],
  breaker: (d) => [known(d.p_reject) && `refuse ${percent(d.p_reject)} of calls`],
  degrade: (d) => [known(d.degrade_level) && `degrade level ${d.degrade_level} of 4`],
  consistency: (d) => consistency(d.consistency),
};

function consistency(rule) {
  if (!rule) return [];
  return [
    rule.mode === "fence" && "refuse writes on this side",
    rule.mode === "serve_stale" && `serve stale answers${known(rule.bound) ? ` up to ${duration(rule.bound)} old` : ""}`,
    rule.avoid.length > 0 && `do not read from ${rule.avoid.join(", ")}`,
    rule.prefer.length > 0 && `read from ${rule.prefer.join(", then ")}`,
  ];
}

export function effect(decision) {
  if (!decision.active) return `Nothing is decided: ${decision.kind}`;
  const parts = (EFFECTS[decision.kind]?.(decision) ?? []).filter(Boolean);
  const sentence = parts.join("; ") || decision.kind;
  return sentence[0].toUpperCase() + sentence.slice(1);
}

function countdown(decision, now) {
  if (decision.consistency?.mode === "fence") return { text: "until lifted", share: 1, tone: "held" };
  if (!decision.active) return { text: "until lifted", share: 1, tone: "held" };
  const left = decision.issued_at + decision.ttl - now;
  if (left > 0) return { text: `${elapsed(Math.ceil(left))} left`, share: Math.min(1, left / decision.ttl), tone: "held" };
  return { text: "expired, relaxing", share: Math.max(0, 1 + left / decision.ttl), tone: "relaxing" };
}

function create() {
  const scope = h("span", { class: "scope" });
  const kind = h("span", { class: "tag" });
  const shadow = h("span", { class: "tag shadow", title: "Guards only count what they would have done" }, "shadow");
  const rest = h("span", { class: "ttl" });
  const sentence = h("p", { class: "effect" });
  const reason = h("p", { class: "reason" });
  const bar = h("i");
  const node = h("li", {}, h("div", { class: "line" }, scope, kind, shadow, rest), sentence, reason, h("div", { class: "ttl-bar", "aria-hidden": "true" }, bar));
  return { node, scope, kind, shadow, rest, sentence, reason, bar };
}

export function renderDecisions(world, now) {
  setText(byId("decisions-count"), world.decisions.length || "");
  byId("no-decisions").hidden = world.decisions.length > 0;
  reconcile(byId("decisions"), world.decisions, (d) => `${d.domain}|${d.scope}|${d.kind}`, create, (row, decision) => {
    const { text, share, tone } = countdown(decision, now);
    setText(row.scope, decision.scope);
    setText(row.kind, decision.kind);
    row.shadow.hidden = decision.mode !== "shadow";
    setText(row.rest, text);
    setText(row.sentence, effect(decision));
    setText(row.reason, decision.reason);
    setAttribute(row.node, "data-tone", tone);
    setAttribute(row.node, "title", `epoch ${decision.epoch}, seq ${decision.seq}, confidence ${percent(decision.confidence)}, ${decision.decision_id}`);
    row.bar.style.inlineSize = `${(share * 100).toFixed(1)}%`;
  });
}
