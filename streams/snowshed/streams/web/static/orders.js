import { byId, h, setText } from "./dom.js";

const VALUES = { rate: "share of the rate from before, 0 to 1", retry: "retries a first attempt, 0 to 1", breaker: "share of calls refused, 0 to 1", degrade: "degrade level, 0 to 4" };

/** Shows the form where this page takes orders, and sends what is filled in. */
export async function offerOrders() {
  const answer = await fetch("api/orders");
  if (!answer.ok || !(await answer.json()).taken) return;
  const form = byId("order");
  byId("order-panel").hidden = false;
  const adapt = () => {
    const pins = form.elements.action.value === "pin";
    form.elements.value.closest("label").hidden = !pins;
    form.elements.value.required = pins;
    form.elements.actuator.required = pins;
    form.elements.ttl.closest("label").hidden = form.elements.action.value === "release";
    setText(byId("order-value"), VALUES[form.elements.actuator.value] ?? "value");
  };
  form.addEventListener("change", adapt);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form).then((said) => setText(byId("order-said"), said));
  });
  adapt();
}

/** Offers the scopes that the page knows. */
export function renderScopes(world) {
  const names = [...new Set([...world.services.map((one) => one.service), ...world.edges.map((one) => `${one.caller}>${one.callee}`), ...world.lag.map((one) => one.dataset), ...world.decisions.map((one) => one.scope)])].sort();
  const list = byId("order-scopes");
  const offered = [...list.children].map((one) => one.value);
  if (String(offered) !== String(names)) list.replaceChildren(...names.map((value) => h("option", { value })));
}

async function send(form) {
  const given = Object.fromEntries(new FormData(form));
  const order = { scope: given.scope, action: given.action, actuator: given.actuator, author: given.author, reason: given.reason };
  if (given.action === "pin") order.value = Number(given.value);
  if (given.ttl && given.action !== "release") order.ttl = Number(given.ttl);
  try {
    const answer = await fetch("api/orders", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order) });
    return answer.ok ? "Ordered: it shows above once it is obeyed." : (await answer.json()).error;
  } catch (error) {
    return `Not ordered: ${error.message}`;
  }
}
