// A layered drawing after Sugiyama, Tagawa and Toda (1981): break cycles, rank, order by barycentre, place.

export const BOX = { width: 156, height: 44 };
const GAP = 104; // between layers, as wide as a label
const NARROW_GAP = 64; // where many layers would need scrolling
const MANY_LAYERS = 6;
const ROW = 64; // between boxes
const WAYPOINT = 30; // between a box and an edge that passes through its layer
const MARGIN = 14;
const SWEEPS = 12;

export function layout(names, links) {
  const forward = breakCycles(names, links);
  const rank = rankOf(names, forward);
  const cells = new Map(names.map((name) => [name, { name, rank: rank.get(name), before: [], after: [] }]));
  const chains = new Map(forward.map((link) => [link.key, chain(link, cells)]));
  const layers = layersOf(cells);
  order(layers);
  place(layers);
  return measure(cells, layers, forward, chains, names);
}

function breakCycles(names, links) {
  const out = new Map(names.map((name) => [name, []]));
  for (const link of links) if (link.from !== link.to) out.get(link.from).push(link);
  const state = new Map();
  const reversed = new Set();
  const visit = (name) => {
    state.set(name, "open");
    for (const link of out.get(name)) {
      if (state.get(link.to) === "open") reversed.add(link.key);
      else if (!state.has(link.to)) visit(link.to);
    }
    state.set(name, "done");
  };
  const called = new Set(links.map((link) => link.to));
  for (const name of [...names.filter((name) => !called.has(name)), ...names]) if (!state.has(name)) visit(name);
  return [...out.values()].flat().map(({ key, from, to }) => (reversed.has(key) ? { key, from: to, to: from, back: true } : { key, from, to, back: false }));
}

function rankOf(names, links) {
  const rank = new Map(names.map((name) => [name, 0]));
  for (let changed = true, turn = 0; changed && turn <= names.length; turn++) {
    changed = false;
    for (const { from, to } of links) {
      if (rank.get(to) > rank.get(from)) continue;
      rank.set(to, rank.get(from) + 1);
      changed = true;
    }
  }
  // A caller that nobody calls stands right before the first it calls.
  const called = new Set(links.map((link) => link.to));
  for (const name of names) {
    const next = links.filter((link) => link.from === name).map((link) => rank.get(link.to));
    if (!called.has(name) && next.length) rank.set(name, Math.min(...next) - 1);
  }
  return rank;
}

// One cell for each layer that a link passes through, so that it is routed around the boxes.
function chain(link, cells) {
  const [from, to] = [cells.get(link.from), cells.get(link.to)];
  const points = [from];
  for (let rank = from.rank + 1; rank < to.rank; rank++) {
    const cell = { name: null, rank, before: [], after: [] };
    cells.set(`${link.key}|${rank}`, cell);
    points.push(cell);
  }
  points.push(to);
  for (let i = 1; i < points.length; i++) {
    points[i - 1].after.push(points[i]);
    points[i].before.push(points[i - 1]);
  }
  return points;
}

function layersOf(cells) {
  const layers = [];
  for (const cell of cells.values()) (layers[cell.rank] ??= []).push(cell);
  const filled = layers.filter(Boolean);
  filled.forEach((layer, rank) => layer.forEach((cell) => (cell.rank = rank)));
  return filled;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function order(layers) {
  const number = (layer) => layer.forEach((cell, i) => (cell.index = i));
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      for (const cell of layer) {
        const near = down ? cell.before : cell.after;
        cell.weight = near.length ? mean(near.map((other) => other.index)) : cell.index;
      }
      layer.sort((one, other) => one.weight - other.weight || one.index - other.index);
      number(layer);
    }
  }
}

function place(layers) {
  for (const layer of layers) spread(layer, layer.map((_, i) => i * ROW));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const layer of sweep % 2 ? layers : [...layers].reverse()) {
      spread(layer, layer.map((cell) => {
        const near = [...cell.before, ...cell.after];
        return near.length ? mean(near.map((other) => other.y)) : cell.y;
      }));
    }
  }
}

const room = (one, other) => (one.name !== null && other.name !== null ? ROW : WAYPOINT + (one.name !== null || other.name !== null ? 10 : -6));

// Gives every cell the place it wants, as far as order and distances allow: pushed down, then pulled back by half.
function spread(layer, wanted) {
  const low = [];
  const high = [];
  for (let i = 0; i < layer.length; i++) low[i] = i ? Math.max(wanted[i], low[i - 1] + room(layer[i - 1], layer[i])) : wanted[i];
  for (let i = layer.length - 1; i >= 0; i--) high[i] = i < layer.length - 1 ? Math.min(wanted[i], high[i + 1] - room(layer[i], layer[i + 1])) : wanted[i];
  layer.forEach((cell, i) => (cell.y = (low[i] + high[i]) / 2));
}

function measure(cells, layers, links, chains, names) {
  const all = [...cells.values()];
  const top = Math.min(...all.map((cell) => cell.y));
  const bottom = Math.max(...all.map((cell) => cell.y));
  const gap = layers.length > MANY_LAYERS ? NARROW_GAP : GAP;
  const x = (cell) => MARGIN + cell.rank * (BOX.width + gap);
  const y = (cell) => MARGIN + BOX.height / 2 + cell.y - top;
  const boxes = new Map(names.map((name) => [name, { x: x(cells.get(name)), y: y(cells.get(name)) - BOX.height / 2 }]));
  const paths = new Map();
  for (const link of links) {
    const points = chains.get(link.key);
    const [start, end] = [points[0], points.at(-1)];
    const inner = points.slice(1, -1).flatMap((cell) => [{ x: x(cell), y: y(cell) }, { x: x(cell) + BOX.width, y: y(cell) }]);
    const route = [
      { x: x(start) + BOX.width, y: y(start) + port(start.after, points[1]) },
      ...inner,
      { x: x(end), y: y(end) + port(end.before, points.at(-2)) },
    ];
    paths.set(link.key, { points: link.back ? route.reverse() : route, back: link.back });
  }
  return { width: 2 * MARGIN + layers.length * (BOX.width + gap) - gap, height: 2 * MARGIN + BOX.height + bottom - top, boxes, paths };
}

// Where on a box's side an edge ends: in the order of the other ends, so that edges do not cross at the box.
function port(neighbours, other) {
  const sorted = [...neighbours].sort((one, two) => one.y - two.y);
  return ((sorted.indexOf(other) + 1) / (sorted.length + 1) - 0.5) * (BOX.height - 8);
}
