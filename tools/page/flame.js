// The flame graph: boxes as wide as what was allocated below them. Only what is wide enough to be
// seen is made.
import { choice, el } from './dom.js';
import { VALUES } from './data.js';
import { flameTree } from './flametree.js';
import { stacksWith } from './rows.js';
import * as format from './format.js';

const ROW = 21; // pixels
const NARROWEST = 0.0012; // of the width
const MOST_ROWS = 90;
const KINDS = { all: 'All', thread: 'By thread', codec: 'By codec' };
const COLOURS = { codec: 'Codec', allocator: 'Allocator, C library', program: 'Program', library: 'Other libraries' };

function kindOf(process, piece) {
  if (!piece.frame) return 'group';
  const { name, module } = process.frame(piece.frame);
  process.codecNames ??= new Set(process.codec_functions.map((f) => f.name));
  const library = format.base(module);
  if (process.codecNames.has(name) || /^lib(zstd|lz4|snappy|brotli\w*|lzma|bz2|lzf|deflate|isal|z)[.\-\d]/.test(library)) return 'codec';
  if (/^(lib(c|pthread|stdc\+\+|jemalloc|tcmalloc\w*|mimalloc)[.\-]|ld-)/.test(library)) return 'allocator';
  return module === process.exe ? 'program' : 'library';
}

const show = (value, amount) => (value === 'allocs' ? `${format.count(amount)} blocks`
  : value === 'allocator_ns' ? format.time(amount) : format.bytes(amount));

/** What a report's graph shows; diffflame.js has that of a comparison. */
const report = (process) => ({
  values: VALUES, kinds: KINDS, colours: COLOURS, show,
  colourOf: (piece) => kindOf(process, piece),
  beside: () => '', // what stands behind a name
  title: (value) => `${process.title}: ${VALUES[value].toLowerCase()}`,
});

export class Flame {
  constructor(process, look) {
    Object.assign(this, { process, look, value: Object.keys(look.values)[0], kind: 'all', inverted: false, icicle: true, matched: null });
    this.boxes = el('div', { class: 'flame', role: 'group', 'aria-label': 'Flame graph; arrow keys move, Enter zooms, Escape goes back' });
    this.trail = el('div', { class: 'trail', 'aria-label': 'Zoomed to', role: 'group' });
    this.about = el('p', { class: 'about', role: 'status' }, 'Point at a box to see it whole, click it to zoom.');
    this.found = el('span', { class: 'quiet', role: 'status' });
    this.boxes.addEventListener('click', (event) => this.hit(event, (piece) => this.zoom(piece)));
    this.boxes.addEventListener('mouseover', (event) => this.hit(event, (piece) => this.tell(piece)));
    this.boxes.addEventListener('focusin', (event) => this.hit(event, (piece) => this.tell(piece)));
    this.boxes.addEventListener('keydown', (event) => this.key(event));
  }

  hit(event, act) {
    const piece = this.pieces.get(event.target.closest('button'));
    if (piece) act(piece);
  }

  change(what) {
    Object.assign(this, what);
    this.tree = flameTree(this.process, this.look.title(this.value), this.value, this.kind, this.inverted);
    this.zoom(this.tree, false);
  }

  zoom(piece, focus = true) {
    this.root = piece;
    this.draw();
    if (focus) this.boxOf.get(piece)?.focus();
  }

  tell(piece) {
    const frame = piece.frame ? this.process.frame(piece.frame) : null;
    const where = frame ? [frame.module && format.base(frame.module), frame.file && `${frame.file}${frame.line ? `:${frame.line}` : ''}`] : [];
    this.about.textContent = `${piece.name}: ${this.look.show(this.value, piece.value)}, ` +
      [`${format.percent(piece.value / this.tree.value)} of all`, this.look.beside(piece), ...where].filter(Boolean).join(', ');
  }

  draw() {
    this.pieces = new Map();
    this.boxOf = new Map();
    this.rows = [];
    const made = [];
    const path = [];
    for (let p = this.root.parent; p; p = p.parent) path.unshift(p);
    const place = (piece, row, left, width) => {
      if (row >= MOST_ROWS) return;
      made.push(this.box(piece, row, left, width));
      (this.rows[row] ??= []).push(piece);
      if (row < path.length) return;
      let at = left;
      for (const child of piece.children()) {
        const wide = piece.value > 0 ? (width * child.value) / piece.value : 0;
        if (wide < NARROWEST) break; // the rest is narrower
        place(child, row + 1, at, wide);
        at += wide;
      }
    };
    path.forEach((piece, row) => place(piece, row, 0, 1));
    place(this.root, path.length, 0, 1);
    this.boxes.style.height = `${this.rows.length * ROW}px`;
    made.forEach((box) => { box.style[this.icicle ? 'top' : 'bottom'] = box.dataset.at; });
    this.boxes.replaceChildren(...made);
    this.boxOf.get(this.root).tabIndex = 0;
    this.trail.replaceChildren(...path.map((piece) => el('button', { type: 'button', onclick: () => this.zoom(piece) }, piece.name)));
    this.trail.hidden = path.length === 0;
  }

  box(piece, row, left, width) {
    const { show, beside, colourOf } = this.look, colour = colourOf(piece);
    const name = [piece.name, beside(piece)].filter(Boolean).join(': ');
    const lit = this.matched && piece.nodes.some((n) => n && this.isFound(piece, n));
    const box = el('button', { type: 'button', tabindex: -1, class: `box ${colour}${lit ? ' lit' : ''}${this.matched && !lit ? ' dim' : ''}`,
      'data-at': `${row * ROW}px`,
      'aria-label': `${name}, ${show(this.value, piece.value)}, ${format.percent(piece.value / this.tree.value)}` });
    if (width > 0.012) box.append(el('span', {}, name));
    box.style.left = `${left * 100}%`;
    box.style.width = `${width * 100}%`;
    this.pieces.set(box, piece);
    this.boxOf.set(piece, box);
    return box;
  }

  /** The frame itself has the text, not only one around it. */
  isFound(piece) {
    if (!piece.frame) return false;
    const { name, file, module } = this.process.frame(piece.frame);
    return [name, file, module].some((text) => text.toLowerCase().includes(this.wanted));
  }

  search(text) {
    this.wanted = text.trim().toLowerCase();
    this.matched = this.wanted ? stacksWith(this.process, this.wanted) : null;
    let sum = 0;
    if (this.matched)
      for (let i = 0; i < this.process.rows.length; i++)
        if (this.matched[this.process.figure(i, 'node')]) sum += this.process.figure(i, this.value);
    this.found.textContent = this.matched ? `${this.look.show(this.value, sum)}, ${format.percent(this.tree.value ? sum / this.tree.value : 0)} through it` : '';
    this.draw();
  }

  key(event) {
    const piece = this.pieces.get(event.target);
    if (!piece) return;
    const inwards = this.icicle ? 'ArrowDown' : 'ArrowUp', outwards = this.icicle ? 'ArrowUp' : 'ArrowDown';
    const row = this.rows.find((pieces) => pieces.includes(piece));
    const aims = {
      [inwards]: () => piece.children()[0], [outwards]: () => piece.parent,
      ArrowRight: () => row[row.indexOf(piece) + 1], ArrowLeft: () => row[row.indexOf(piece) - 1],
      Home: () => this.root,
    };
    if (event.key === 'Escape') this.zoom(this.root.parent ?? this.tree);
    else if (aims[event.key]) this.boxOf.get(aims[event.key]())?.focus();
    else return;
    event.preventDefault();
  }

  elements() {
    const search = el('input', { type: 'search', oninput: () => this.search(search.value) });
    const { values, kinds, colours } = this.look;
    this.change({});
    return [
      el('div', { class: 'controls' },
        choice('Width', Object.entries(values), this.value, (value) => { this.change({ value }); this.search(search.value); }),
        choice('Divided', Object.entries(kinds), 'all', (kind) => this.change({ kind })),
        choice('Begins with', [[false, 'outermost'], [true, 'innermost']], false, (inverted) => this.change({ inverted })),
        choice('Grows', [[true, 'down'], [false, 'up']], true, (icicle) => { this.icicle = icicle; this.draw(); }),
        el('label', {}, 'Search ', search), this.found,
        el('button', { type: 'button', onclick: () => this.zoom(this.tree) }, 'Whole')),
      el('ul', { class: 'legend' }, ...Object.entries(colours).map(([kind, text]) =>
        el('li', {}, el('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }), text))),
      this.trail, el('div', { class: 'flames' }, this.boxes), this.about,
    ];
  }
}

export const flame = (process) => new Flame(process, report(process)).elements();
