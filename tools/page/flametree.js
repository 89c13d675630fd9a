// What the flame graph draws: a tree of names whose children are made when they come into sight, so
// that 100,000 stacks cost one pass over their nodes. A piece of a tree stands for a set of places in
// the recording's tree of stacks, each with its value.
const MOST_GROUPS = 12;

/** [group name, [site index, value]...] for what the graph is divided by. */
function grouped(process, value, kind) {
  const groups = new Map();
  const put = (name, index, amount) => {
    if (amount <= 0) return;
    let group = groups.get(name);
    if (!group) groups.set(name, group = { name, sites: [], values: [], sum: 0 });
    group.sites.push(index);
    group.values.push(amount);
    group.sum += amount;
  };
  const at = 1 + ['allocs', 'bytes', 'live_bytes', 'allocator_ns'].indexOf(value);
  for (let i = 0; i < process.rows.length; i++) {
    if (kind === 'thread') {
      const rows = process.threadsAt(i);
      for (let r = 0; r < rows.length; r += 5) put(process.threadName(rows[r]), i, rows[r + at]);
    } else {
      const codec = kind === 'codec' ? process.textOf(i, 'codec') || 'no codec' : '';
      put(codec, i, process.figure(i, value));
    }
  }
  const sorted = [...groups.values()].sort((a, b) => b.sum - a.sum);
  const rest = sorted.splice(MOST_GROUPS);
  if (rest.length) {
    const others = { name: `${rest.length} others`, sites: [], values: [], sum: 0 };
    for (const group of rest) {
      others.sites = others.sites.concat(group.sites);
      others.values = others.values.concat(group.values);
      others.sum += group.sum;
    }
    sorted.push(others);
  }
  return sorted;
}

/** First child and next sibling of every node of the recording. */
function links(process) {
  if (process.links) return process.links;
  const count = process.parent.length;
  const child = new Uint32Array(count), next = new Uint32Array(count);
  for (let n = 1; n < count; n++) {
    const parent = process.parent[n];
    next[n] = child[parent];
    child[parent] = n;
  }
  process.links = { child, next };
  return process.links;
}

class Piece {
  constructor(parent, name, frame) {
    Object.assign(this, { parent, name, frame, value: 0, nodes: [], values: [], sites: [], made: null });
    this.depth = parent ? parent.depth + 1 : 0;
  }

  add(node, value, site) {
    this.nodes.push(node);
    this.values.push(value);
    this.sites.push(site);
    this.value += value;
  }

  /** Another figure of the same stacks. */
  sum(name) { return this.children().reduce((sum, child) => sum + child.sum(name), 0); }

  children() {
    this.made ??= this.make().sort((a, b) => b.value - a.value);
    return this.made;
  }
}

/** Puts a node among pieces by the name of the frame. */
function sortInto(pieces, parent, process, frame, node, value, site) {
  const name = process.frames[(frame - 1) * 5];
  let piece = pieces.get(name);
  if (!piece) pieces.set(name, piece = new parent.constructor(parent, process.texts[name], frame));
  piece.add(node, value, site);
  piece.process = process;
  piece.group = parent.group;
}

/** From the outermost frame inwards: a node's value is that of all stacks through it. */
class Callers extends Piece {
  make() {
    const { child, next } = links(this.process), pieces = new Map(), { sums } = this.group;
    for (const node of this.nodes)
      for (let c = child[node]; c; c = next[c])
        if (sums[c] > 0) sortInto(pieces, this, this.process, this.process.frameOf[c], c, sums[c]);
    return [...pieces.values()];
  }

  sum(name) {
    const { group, process } = this;
    group.others ??= {};
    group.others[name] ??= sumsOf(process, group.sites, group.sites.map((i) => process.figure(i, name)));
    return this.nodes.reduce((sum, node) => sum + group.others[name][node], 0);
  }
}

/** From the innermost frame outwards: a node is where a stack has been followed to. */
class Callees extends Piece {
  make() {
    const pieces = new Map(), { parent, frameOf } = this.process;
    this.nodes.forEach((node, i) => {
      const up = this.started ? parent[node] : node;
      if (up) sortInto(pieces, this, this.process, frameOf[up], up, this.values[i], this.sites[i]);
    });
    for (const piece of pieces.values()) piece.started = true;
    return [...pieces.values()];
  }

  sum(name) { return this.sites.reduce((sum, site) => sum + this.process.figure(site, name), 0); }
}

/** What each node has below it, of sites that have these values. */
function sumsOf(process, sites, values) {
  const sums = new Float64Array(process.parent.length);
  values.forEach((value, i) => { sums[process.figure(sites[i], 'node')] += value; });
  for (let n = sums.length - 1; n > 0; n--) // children come behind their parents
    sums[process.parent[n]] += sums[n];
  return sums;
}

function groupPiece(process, root, group, inverted) {
  const piece = new (inverted ? Callees : Callers)(root, group.name, 0);
  piece.process = process;
  piece.group = group;
  if (inverted) {
    group.values.forEach((value, i) => piece.add(process.figure(group.sites[i], 'node'), value, group.sites[i]));
    return piece;
  }
  group.sums = sumsOf(process, group.sites, group.values);
  piece.add(0, group.sums[0]);
  return piece;
}

/** The whole: value is a figure of sites, kind all, thread or codec. */
export function flameTree(process, title, value, kind, inverted) {
  const groups = grouped(process, value, kind);
  if (kind === 'all' && groups.length === 1) {
    const whole = groupPiece(process, null, groups[0], inverted);
    whole.name = title;
    return whole;
  }
  const root = new Piece(null, title, 0);
  root.process = process;
  root.made = groups.map((group) => groupPiece(process, root, group, inverted));
  for (const piece of root.made) root.value += piece.value;
  return root;
}
