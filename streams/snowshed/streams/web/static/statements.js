import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { duration, known, moment, percent, perSecond, plural } from "./format.js";

const SHOWN = 10; // of one database, and every one that has changed

const CHANGES = {
  latency: (row) => `slower: ${duration(row.before)} → ${duration(row.after)}`,
  volume: (row) => `more often: ${perSecond(row.before)} → ${perSecond(row.after)}`,
  new: (row) => `new: ${percent(row.after)} of the time`,
};

function rowsOf(database) {
  return database.statement.map((statement, i) => ({
    key: `${database.domain}|${database.callee}|${statement}`,
    callee: database.callee,
    statement,
    operation: database.operation[i],
    ...Object.fromEntries(["rate", "share", "usual_share", "mean", "p99", "change", "onset", "before", "after"].map((name) => [name, database[name][i]])),
  }));
}

function create() {
  const name = h("td", { class: "name" });
  const change = h("span", { class: "chip" });
  const cells = ["n", "n wide", "n", "n", "n wide"].map((name) => h("td", { class: name }));
  return { node: h("tr", {}, name, h("td", {}, change), ...cells), name, change, cells };
}

function update(row, one) {
  const told = CHANGES[one.change]?.(one) ?? "";
  setAttribute(row.node, "data-tone", told ? "warn" : "quiet");
  setText(row.name, `${one.callee} · ${one.operation || one.statement}`);
  setAttribute(row.name, "title", one.statement);
  setText(row.change, told && known(one.onset) ? `${told}, since ${moment(one.onset)}` : told);
  row.change.hidden = told === "";
  const cells = [percent(one.share), percent(one.usual_share), perSecond(one.rate), duration(one.mean), duration(one.p99)];
  row.cells.forEach((cell, i) => setText(cell, cells[i]));
}

export function renderStatements(world) {
  const rows = world.statements.flatMap((database) => rowsOf(database).filter((row, i) => i < SHOWN || row.change));
  const changed = rows.filter((row) => row.change).length;
  byId("statements-panel").hidden = rows.length === 0;
  setText(byId("statements-count"), changed ? plural(changed, "has changed", "have changed") : "");
  reconcile(byId("statements"), [...rows.filter((row) => row.change), ...rows.filter((row) => !row.change)], (row) => row.key, create, update);
}
