import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { effect } from "./decisions.js";
import { elapsed, incidentKind, known, moment, number, percent, plural, quantity } from "./format.js";

let announced = null;

export function renderIncidents(world, now) {
  const open = world.incidents.filter((incident) => incident.status === "open");
  const closed = world.incidents.filter((incident) => incident.status !== "open");
  setText(byId("incidents-count"), open.length || "");
  calm(open, closed, now);
  reconcile(byId("open-incidents"), open, (i) => i.incident_id, createCard, (card, i) => updateCard(card, i, world, now));
  byId("closed").hidden = closed.length === 0;
  setText(byId("closed-title"), `${plural(closed.length, "closed incident")}`);
  reconcile(byId("closed-incidents"), closed, (i) => i.incident_id, createCard, (card, i) => updateCard(card, i, world, now));
  announce(open);
}

function calm(open, closed, now) {
  const last = closed[0];
  const past = last ? ` The last one, ${incidentKind(last.kind).toLowerCase()} at ${last.subject}, ended ${elapsed(now - last.closed_at)} ago.` : "";
  setText(byId("calm"), `No incident is open.${past}`);
  byId("calm").hidden = open.length > 0;
}

function announce(open) {
  const ids = new Set(open.map((incident) => incident.incident_id));
  if (announced !== null) {
    const fresh = open.filter((incident) => !announced.has(incident.incident_id));
    if (fresh.length) setText(byId("announcer"), fresh.map((i) => `Incident opened: ${i.summary}`).join(" "));
    else if (ids.size < announced.size) setText(byId("announcer"), `Incident closed; ${plural(ids.size, "is", "are")} still open.`);
  }
  announced = ids;
}

function createCard(incident) {
  const kind = h("span", { class: "tag" });
  const subject = h("a", { class: "scope", href: `#incident-${incident.incident_id}` });
  const span = h("span", { class: "span" });
  const summary = h("p", { class: "summary" });
  const evidence = h("tbody");
  const proof = h("div", { class: "table-scroll" }, h("table", { class: "evidence" }, h("thead", {}, h("tr", {}, h("th", {}, "measured"), h("th", { class: "n" }, "value"), h("th", { class: "n" }, "limit"), h("th", { class: "n wide" }, "at"))), evidence));
  const decisions = h("ul", { class: "taken" });
  const facts = h("p", { class: "facts" });
  const words = h("pre");
  const explain = h("details", { class: "words" }, h("summary", {}, "In plain words"), words);
  const node = h("article", { id: `incident-${incident.incident_id}`, class: "incident", tabindex: "-1" }, h("div", { class: "line" }, kind, subject, span), summary, proof, decisions, facts, explain);
  const card = { node, kind, subject, span, summary, evidence, proof, decisions, facts, words, explain, told: "" };
  explain.addEventListener("toggle", () => tell(card, incident.incident_id));
  return card;
}

function updateCard(card, incident, world, now) {
  const isOpen = incident.status === "open";
  setAttribute(card.node, "data-status", incident.status);
  setText(card.kind, incidentKind(incident.kind));
  setText(card.subject, incident.subject);
  setText(card.span, isOpen ? `open for ${elapsed(now - incident.opened_at)}` : `lasted ${elapsed(incident.closed_at - incident.opened_at)}, ended ${moment(incident.closed_at)}`);
  setAttribute(card.span, "title", `opened ${moment(incident.opened_at)}, updated ${moment(incident.updated_at)}`);
  setText(card.summary, incident.summary);
  card.proof.hidden = incident.evidence.length === 0;
  reconcile(card.evidence, incident.evidence, (e) => `${e.series}|${e.topic}|${e.partition}|${e.offset}`, createEvidence, updateEvidence);
  const taken = world.decisions.filter((d) => d.incident_id === incident.incident_id || incident.decisions.includes(d.decision_id));
  reconcile(card.decisions, taken, (d) => `${d.scope}|${d.kind}`, () => ({ node: h("li") }), (row, d) => setText(row.node, `${effect(d)} (${d.scope})`));
  setText(card.facts, facts(incident));
  const version = `${incident.updated_at}|${incident.status}|${taken.length}`;
  if (card.version !== version) {
    card.version = version;
    tell(card, incident.incident_id);
  }
}

function facts(incident) {
  const causes = incident.causes.map((cause) => `${cause.name} ${percent(cause.score)}`).join(", ");
  const members = incident.members.filter((member) => member !== incident.subject).join(", ");
  return [
    causes && `Likely cause: ${causes}`,
    members && `Also affected: ${members}`,
    `Confidence ${percent(incident.confidence)}`,
    known(incident.detector_lag) && `judged on data ${quantity(incident.detector_lag, "s")} old`,
    incident.incident_id,
  ].filter(Boolean).join(" · ");
}

function createEvidence() {
  const [series, value, limit, at] = ["", "n strong", "n", "n wide"].map((name) => h("td", { class: name }));
  return { node: h("tr", {}, series, value, limit, at), series, value, limit, at };
}

function updateEvidence(row, evidence) {
  setText(row.series, evidence.series);
  setText(row.value, quantity(evidence.value, evidence.unit));
  setText(row.limit, quantity(evidence.threshold, evidence.unit));
  setText(row.at, moment(evidence.at));
  setAttribute(row.node, "title", `${evidence.topic}[${evidence.partition}]@${number(evidence.offset)}`);
}

async function tell(card, incidentId) {
  if (!card.explain.open || card.told === card.version) return;
  card.told = card.version;
  try {
    const answer = await (await fetch(`api/incidents/${encodeURIComponent(incidentId)}`)).json();
    setText(card.words, answer.explanation ?? answer.error);
  } catch {
    card.told = "";
    setText(card.words, "The server does not answer; close and open this again to retry.");
  }
}
