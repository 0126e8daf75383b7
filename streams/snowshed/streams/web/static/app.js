import { byId, setText } from "./dom.js";
import { renderDecisions } from "./decisions.js";
import { moment } from "./format.js";
import { renderGraph } from "./graph.js";
import { renderIncidents } from "./incidents.js";
import { renderLag } from "./lag.js";
import { filterNodes, renderNodes } from "./nodes.js";
import { offerOrders, renderScopes } from "./orders.js";
import { isEmpty, renderOverall } from "./overall.js";
import { renderServices } from "./services.js";
import { renderStatements } from "./statements.js";
import { Stream } from "./stream.js";

let world = null;
let skew = 0; // the server's clock minus this machine's, in seconds
let scheduled = false;

const now = () => Date.now() / 1000 + skew;

function take(event, data) {
  if (data !== null) skew = data.now - Date.now() / 1000;
  if (event === "world") world = data;
  else if (event === "change" && world !== null) Object.assign(world, data);
  else if (event === "beat" && world !== null) world.connected = data.connected;
  schedule();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    render();
  });
}

function render() {
  if (world === null) return;
  const at = now();
  world.decisions = world.decisions.filter((decision) => acts(decision, at));
  const empty = isEmpty(world);
  byId("empty").hidden = !empty;
  byId("columns").hidden = empty;
  renderOverall(world, stream, at);
  renderIncidents(world, at);
  renderDecisions(world, at);
  renderGraph(world, filterNodes);
  renderServices(world);
  renderLag(world);
  renderStatements(world);
  renderNodes(world, at);
  renderScopes(world);
  setText(byId("moment"), `as of ${moment(at)}`);
  arrive();
}

function acts(decision, at) {
  return decision.consistency?.mode === "fence" || (decision.order_id !== "" && !decision.active) || at < decision.issued_at + 2 * decision.ttl;
}

let arrived = false;

// The target of the address bar's #incident-… exists only after the first world.
function arrive() {
  if (arrived) return;
  arrived = true;
  if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  byId("filter").focus();
});
byId("filter").addEventListener("input", schedule);

offerOrders().catch(() => {}); // a page that only shows
const stream = new Stream("api/events", take);
setInterval(schedule, 1000);
