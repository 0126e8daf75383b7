// One judgement for the header, the worst that holds.

import { byId, setAttribute, setText } from "./dom.js";
import { duration, elapsed, known, plural } from "./format.js";

const WARNING = { nodes: ["suspect", "dead", "observer_suspect"], edges: ["overloaded", "amplified"], lag: ["behind", "unknown"], services: ["triggered", "provisional", "metastable", "capacity_loss"] };
const LAG_LIMIT = 3; // seconds; past it the detector stops tightening

export function warnings(world) {
  return Object.entries(WARNING).flatMap(([section, bad]) => world[section].filter((row) => !row.stale && bad.includes(row.status)));
}

export const isEmpty = (world) => ["nodes", "edges", "lag", "incidents"].every((section) => world[section].length === 0);

function judge(world, live, now) {
  if (!live) return ["quiet", "Not live", "what you see may be out of date"];
  const open = world.incidents.filter((incident) => incident.status === "open");
  if (open.length) {
    const longest = Math.min(...open.map((incident) => incident.opened_at));
    return ["bad", `${plural(open.length, "open incident")}`, `for ${elapsed(now - longest)}`];
  }
  if (isEmpty(world)) return ["quiet", "Waiting", "for the first report"];
  const silent = detectorSilence(world, now);
  if (silent) return ["warn", "Detector is silent", `for ${elapsed(silent)}`];
  const watched = warnings(world);
  if (watched.length) return ["warn", "Watching", plural(watched.length, "early sign")];
  return ["ok", "All clear", ""];
}

function detectorSilence(world, now) {
  const seen = world.detector.observed_at;
  return known(seen) && now - seen > world.stale_after ? now - seen : 0;
}

function banner(world, stream, now) {
  if (!stream.live) return `Not live: last word from the server ${elapsed(stream.silence)} ago. Reconnecting by itself.`;
  if (!world.connected) return "Kafka does not answer: this is the last known state. Guards go on with their local brakes.";
  const silent = detectorSilence(world, now);
  if (silent && !isEmpty(world)) return `No new observation for ${elapsed(silent)}. Is a worker running? Start one with: snowshed worker`;
  return "";
}

export function renderOverall(world, stream, now) {
  const [tone, title, detail] = judge(world, stream.live, now);
  setAttribute(byId("overall"), "data-tone", tone);
  setText(byId("overall-title"), title);
  setText(byId("overall-detail"), detail);
  const mark = { bad: "▲ ", warn: "◐ ", quiet: "… ", ok: "" }[tone];
  const page = `${mark}${title} · Snowshed`;
  if (document.title !== page) document.title = page;
  vital("link", stream.live ? "live" : `lost ${elapsed(stream.silence)} ago`, stream.live ? "ok" : "bad");
  vital("kafka", world.connected ? (world.caught_up ? "connected" : "catching up") : "no answer", world.connected ? "ok" : "bad");
  const lag = world.detector.lag;
  vital("detector", known(lag) ? duration(lag) : "–", !known(lag) ? "quiet" : lag > LAG_LIMIT ? "bad" : "ok");
  const text = banner(world, stream, now);
  setText(byId("banner"), text);
  byId("banner").hidden = text === "";
  document.body.classList.toggle("stale", !stream.live);
}

function vital(id, text, tone) {
  setText(byId(id), text);
  setAttribute(byId(id), "data-tone", tone);
}
