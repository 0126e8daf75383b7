import { byId, h, reconcile, s, setAttribute, setText } from "./dom.js";
import { duration, known, number, percent, perSecond, plural, status } from "./format.js";
import { BOX, layout } from "./layout.js";

const LABELS = 16; // with more edges than this, only those in trouble carry their rate all the time
const NAME = 19; // characters that fit a box
const WORST = ["dead", "suspect", "observer_suspect", "alive", "left"];

let drawn = { topology: "", edges: new Map(), boxes: new Map() };

const key = (edge) => `${edge.caller}>${edge.callee}`;

export function renderGraph(world, choose) {
  const edges = world.edges;
  const names = [...new Set([...edges.flatMap((e) => [e.caller, e.callee]), ...world.nodes.map((n) => n.service)])].filter(Boolean).sort();
  byId("graph-panel").hidden = names.length === 0;
  setText(byId("graph-count"), edges.length ? plural(edges.length, "edge") : "");
  if (names.length === 0) return;
  const topology = JSON.stringify([names, edges.map(key)]);
  if (topology !== drawn.topology) drawn = draw(names, edges, topology, choose);
  const fresh = edges.find((edge) => status(edge.status, edge.stale).tone === "bad" && (drawn.edges.get(key(edge))?.node.dataset.tone ?? "bad") !== "bad");
  for (const edge of edges) updateEdge(drawn.edges.get(key(edge)), edge, edges.length <= LABELS);
  for (const name of names) updateBox(drawn.boxes.get(name), name, world);
  if (fresh) bringIntoView(drawn.edges.get(key(fresh)));
  renderTable(edges);
}

// Where the graph is wider than its panel, trouble must not begin out of sight.
function bringIntoView({ path }) {
  const panel = byId("graph").parentElement;
  const [edge, frame] = [path.getBoundingClientRect(), panel.getBoundingClientRect()];
  if (edge.left >= frame.left && edge.right <= frame.right) return;
  panel.scrollBy({ left: (edge.left + edge.right - frame.left - frame.right) / 2, behavior: "smooth" });
}

function draw(names, edges, topology, choose) {
  const plan = layout(names, edges.map((edge) => ({ key: key(edge), from: edge.caller, to: edge.callee })));
  const svg = s("svg", { viewBox: `0 0 ${plan.width} ${plan.height}`, role: "group", "aria-label": "Call graph, callers left of callees" });
  svg.style.minInlineSize = `${plan.width * 0.7}px`;
  svg.style.maxInlineSize = `${plan.width * 1.1}px`;
  const callers = (callee) => edges.filter((edge) => edge.callee === callee && edge.caller !== callee).length;
  const lines = new Map();
  for (const edge of edges) {
    const path = plan.paths.get(key(edge));
    if (path) lines.set(key(edge), line(path, callers(edge.callee) === 1));
  }
  const boxes = new Map([...plan.boxes].map(([name, at]) => [name, box(name, at, choose)]));
  svg.append(...[...lines.values()].map((l) => l.node), ...[...lines.values()].map((l) => l.label), ...[...boxes.values()].map((b) => b.node));
  for (const [name, drawing] of boxes) highlight(svg, name, drawing.node, lines);
  byId("graph").replaceChildren(svg);
  return { topology, edges: lines, boxes };
}

function line({ points, back }, alone) {
  const end = points.at(-1);
  const direction = back ? -1 : 1;
  const tip = { x: end.x - 1.5 * direction, y: end.y };
  const neck = { x: tip.x - 9 * direction, y: tip.y };
  const path = s("path", { class: "wire", d: curve([...points.slice(0, -1), neck]) });
  const arrow = s("path", { class: "tip", d: `M${tip.x} ${tip.y}L${neck.x} ${neck.y - 5}V${neck.y + 5}Z` });
  const title = s("title");
  const hit = s("path", { class: "hit", d: curve(points) }, title);
  const near = points.at(-2);
  const label = s("text", { class: "rate", x: (near.x + end.x) / 2, y: alone ? heightOfLabel(near, end) : (near.y + end.y) / 2 - 5, "text-anchor": "middle" });
  return { node: s("g", { class: "edge", "data-tone": "quiet" }, path, arrow, hit), path, arrow, title, label };
}

// Above a nearly level edge; on a steep one in its middle, where only the halo parts them.
function heightOfLabel(from, to) {
  return Math.abs(from.y - to.y) < 30 ? Math.min(from.y, to.y) - 8 : (from.y + to.y) / 2 - 6;
}

function curve(points) {
  let d = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length; i++) {
    const [from, to] = [points[i - 1], points[i]];
    const bend = from.x + (to.x - from.x) / 2;
    d += `C${bend} ${from.y} ${bend} ${to.y} ${to.x} ${to.y}`;
  }
  return d;
}

function updateEdge(drawing, edge, labelled) {
  if (!drawing) return; // a service that calls itself stands in the table only
  const { tone, word } = status(edge.status, edge.stale);
  const rate = known(edge.rate) ? edge.rate : 0;
  for (const part of [drawing.node, drawing.label]) setAttribute(part, "data-tone", tone);
  setAttribute(drawing.node, "data-from", edge.caller);
  setAttribute(drawing.node, "data-to", edge.callee);
  drawing.path.style.strokeWidth = `${Math.min(7.5, 1.2 + 1.5 * Math.log10(1 + rate)).toFixed(1)}px`;
  const loud = tone === "bad" || tone === "warn";
  const factor = edge.amplification >= 1.2 ? ` ×${number(edge.amplification)}` : "";
  setText(drawing.label, labelled || loud ? `${perSecond(edge.rate)}${factor}` : "");
  setText(drawing.title, `${edge.caller} → ${edge.callee}: ${word}\n${perSecond(edge.rate)}, ${number(edge.amplification)} attempts per first attempt\n${percent(edge.error_ratio)} errors, ${percent(edge.rejected_ratio)} refused\np50 ${duration(edge.p50)}, p90 ${duration(edge.p90)}, p99 ${duration(edge.p99)}`);
}

function box(name, at, choose) {
  const shown = name.length > NAME ? `${name.slice(0, NAME - 1)}…` : name;
  const title = s("title");
  const state = s("text", { class: "state", x: 14, y: 34 });
  const brake = s("text", { class: "brake", x: BOX.width - 9, y: 34, "text-anchor": "end" });
  const shield = s("path", { class: "shield", d: `M${BOX.width - 21} 7l6 2v4q0 4-6 7q-6-3-6-7v-4z` });
  const node = s("g", { class: "service", tabindex: "0", role: "button", transform: `translate(${at.x} ${at.y})` },
    title, s("rect", { width: BOX.width, height: BOX.height, rx: 9 }), s("rect", { class: "strip", x: 5, y: 9, width: 3, height: BOX.height - 18, rx: 1.5 }),
    s("text", { class: "title", x: 14, y: 18 }, shown), state, brake, shield);
  node.addEventListener("click", () => choose(name));
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(name);
  });
  return { node, title, state, brake, shield };
}

function updateBox(drawing, name, world) {
  const nodes = world.nodes.filter((node) => node.service === name && node.status !== "left");
  const inbound = world.edges.filter((edge) => edge.callee === name && !edge.stale);
  const trouble = inbound.find((edge) => edge.status === "overloaded");
  const worst = [...nodes].sort((one, other) => WORST.indexOf(one.status) - WORST.indexOf(other.status))[0];
  const health = world.services.find((one) => one.service === name && !one.stale && status(one.status).tone === "bad");
  const judged = worst && worst.status !== "alive" ? worst : health ?? trouble ?? worst;
  const { tone, mark, word } = judged ? status(judged.status, judged.stale) : { tone: "quiet", mark: "", word: "" };
  const alive = nodes.filter((node) => node.status === "alive").length;
  const rate = inbound.reduce((sum, edge) => sum + (edge.rate ?? 0), 0);
  const population = nodes.length ? `${alive}/${nodes.length} alive` : inbound.length ? `${perSecond(rate)} in` : "caller";
  const brakes = world.decisions.filter((decision) => decision.scope === name || decision.scope.endsWith(`>${name}`));
  setAttribute(drawing.node, "data-tone", tone);
  setText(drawing.state, tone === "ok" || !judged ? population : `${mark} ${judged === trouble || judged === health ? word : population}`);
  setText(drawing.brake, brakes.map((decision) => decision.kind).join(" "));
  setAttribute(drawing.shield, "visibility", brakes.length ? null : "hidden");
  const sentence = `${name}: ${[word, population, ...brakes.map((decision) => decision.reason)].filter(Boolean).join("; ")}`;
  setText(drawing.title, sentence);
  setAttribute(drawing.node, "aria-label", `${sentence}. Filter nodes by this service`);
}

function highlight(svg, name, node, lines) {
  const mark = (on) => {
    svg.classList.toggle("focussed", on);
    for (const { node: edge, label } of lines.values()) {
      const touches = on && [edge.dataset.from, edge.dataset.to].includes(name);
      edge.classList.toggle("near", touches);
      label.classList.toggle("near", touches);
    }
  };
  for (const event of ["mouseenter", "focus"]) node.addEventListener(event, () => mark(true));
  for (const event of ["mouseleave", "blur"]) node.addEventListener(event, () => mark(false));
}

const COLUMNS = [
  (edge) => perSecond(edge.rate),
  (edge) => number(edge.amplification),
  (edge) => percent(edge.error_ratio),
  (edge) => percent(edge.rejected_ratio),
  (edge) => duration(edge.p50),
  (edge) => duration(edge.p90),
  (edge) => duration(edge.p99),
];

function renderTable(edges) {
  const create = () => {
    const name = h("td", { class: "name" });
    const chip = h("span", { class: "chip" });
    const cells = COLUMNS.map(() => h("td", { class: "n" }));
    return { node: h("tr", {}, name, h("td", {}, chip), ...cells), name, chip, cells };
  };
  reconcile(byId("edges"), edges, key, create, (row, edge) => {
    const { tone, mark, word } = status(edge.status, edge.stale);
    setAttribute(row.node, "data-tone", tone);
    setText(row.name, `${edge.caller} → ${edge.callee}`);
    setText(row.chip, `${mark} ${word}`);
    row.cells.forEach((cell, i) => setText(cell, COLUMNS[i](edge)));
  });
}
