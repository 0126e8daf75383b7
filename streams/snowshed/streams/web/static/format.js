export const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

const two = (value) => String(Math.floor(value)).padStart(2, "0");

// Elapsed time to the second, for things that a person waits for.
export function elapsed(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${two(total % 60)} s`;
  if (total < 86400) return `${Math.floor(total / 3600)} h ${two((total % 3600) / 60)} min`;
  return `${Math.floor(total / 86400)} d ${Math.floor((total % 86400) / 3600)} h`;
}

// Elapsed time in one unit, for table cells.
export function brief(seconds) {
  const total = Math.max(0, seconds);
  if (total < 100) return `${Math.floor(total)} s`;
  if (total < 6000) return `${Math.floor(total / 60)} min`;
  if (total < 172800) return `${Math.floor(total / 3600)} h`;
  return `${Math.floor(total / 86400)} d`;
}

// A measured duration, three digits at most.
export function duration(seconds) {
  if (!known(seconds)) return "–";
  if (seconds < 0.9995) return `${number(seconds * 1000)} ms`;
  return seconds < 120 ? `${number(seconds)} s` : elapsed(seconds);
}

export function number(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return `${number(value / 1e9)} G`;
  if (size >= 1e6) return `${number(value / 1e6)} M`;
  if (size >= 10000) return `${number(value / 1e3)} k`;
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export const perSecond = (rate) => (known(rate) ? `${number(rate)}/s` : "–");

export function percent(ratio) {
  if (!known(ratio)) return "–";
  const value = ratio * 100;
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}

export function quantity(value, unit) {
  if (unit === "s") return duration(value);
  if (unit === "ratio") return percent(value);
  if (unit === "1/s" || unit === "req/s") return perSecond(value);
  return unit && unit !== "1" ? `${number(value)} ${unit}` : number(value);
}

export const moment = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const STATUS = {
  alive: ["ok", "●", "alive"],
  suspect: ["warn", "◐", "suspect"],
  dead: ["bad", "✕", "dead"],
  left: ["quiet", "○", "left"],
  observer_suspect: ["warn", "?", "observer suspect"],
  ok: ["ok", "●", "ok"],
  overloaded: ["bad", "▲", "overloaded"],
  amplified: ["bad", "⇶", "amplified"],
  silent: ["quiet", "○", "silent"],
  fresh: ["ok", "●", "fresh"],
  behind: ["bad", "▲", "behind"],
  unknown: ["warn", "?", "unknown"],
  stable: ["ok", "●", "stable"],
  triggered: ["bad", "▲", "triggered"],
  recovering: ["warn", "◐", "recovering"],
  provisional: ["bad", "▲", "perhaps metastable"],
  metastable: ["bad", "✕", "metastable"],
  capacity_loss: ["bad", "▼", "capacity lost"],
};

// Tone, mark and word: colour never stands alone.
export function status(name, stale = false) {
  const [tone, mark, word] = STATUS[name] ?? ["quiet", "·", name];
  return stale ? { tone: "quiet", mark: "…", word: `${word}, stale` } : { tone, mark, word };
}

const KIND = {
  node_failed: "Node failed",
  replica_lag: "Replica lags",
  retry_amplification: "Retry amplification",
  overload: "Overload",
  gray_failure: "Gray failure",
  partition: "Partition",
  cascade: "Cascade",
  metastable: "Metastable state",
  capacity_loss: "Capacity lost",
  consumer_group: "Consumer group",
  quorum: "Quorum",
  divided: "Divided data",
  detector: "Detector",
  clock: "Clocks off",
};

export const incidentKind = (kind) => KIND[kind] ?? kind;
