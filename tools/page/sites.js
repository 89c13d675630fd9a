// Sites: a table that is sorted and filtered over all of them, and shows a screen or two.
import { el } from './dom.js';
import { rangeOf, sparkline } from './bars.js';
import { classStart } from './data.js';
import { detail } from './site.js';
import * as format from './format.js';

const STEP = 100;
const COLUMNS = [
  ['id', 'Site', (p, i) => p.figure(i, 'id')],
  ['name', 'Allocated by', null],
  ['bytes', 'Bytes', (p, i) => p.figure(i, 'bytes'), format.bytes],
  ['allocs', 'Blocks', (p, i) => p.figure(i, 'allocs'), format.count],
  ['live', 'Live', (p, i) => p.figure(i, 'live_bytes'), format.bytes],
  ['peak', 'Peak', (p, i) => p.figure(i, 'peak'), format.bytes],
  ['time', 'Allocator', (p, i) => p.figure(i, 'allocator_ns'), format.time],
  ['size', 'Size', (p, i) => p.figure(i, 'size_spread')[2] ?? -1, format.bytes],
  ['life', 'Life', (p, i) => p.figure(i, 'life_spread_ns')[2] ?? -1, format.time],
];

/** Numbers of stacks in which a frame, its module or its file has the text. */
export function stacksWith(process, text) {
  const wanted = text.toLowerCase(), { texts, frames, parent, frameOf } = process;
  const good = texts.map((t) => t.toLowerCase().includes(wanted));
  const matched = new Uint8Array(parent.length);
  for (let n = 1; n < matched.length; n++) {
    const at = (frameOf[n] - 1) * 5;
    matched[n] = matched[parent[n]] | good[frames[at]] | good[frames[at + 1]] | good[frames[at + 2]];
  }
  return matched;
}

function tags(process, index) {
  const out = [];
  for (const name of ['codec', 'role']) {
    const text = process.textOf(index, name);
    if (text) out.push(el('span', { class: `tag ${name}` }, text));
  }
  if (process.figure(index, 'flagged')) out.push(el('span', { class: 'tag flagged' }, 'flagged'));
  return out;
}

class Sites {
  constructor(process, context) {
    Object.assign(this, { process, context, sort: 'bytes', down: true, most: STEP });
    this.sizes = rangeOf(process.rows.map((row) => row[process.column.size_classes]));
    this.lives = rangeOf(process.rows.map((row) => row[process.column.life_classes]));
    this.body = el('tbody');
    this.said = el('p', { class: 'quiet', role: 'status' });
    this.more = el('button', { type: 'button', onclick: () => { this.most += 5 * STEP; this.draw(); } });
    this.panel = el('div', { class: 'panel' });
    this.heads = COLUMNS.map(([key, title]) => this.head(key, title));
    context.showSite = (id) => this.open(id);
  }

  head(key, title) {
    return el('th', { scope: 'col', class: key, 'aria-sort': 'none' }, el('button', {
      type: 'button',
      onclick: () => {
        this.down = this.sort === key ? !this.down : key !== 'id' && key !== 'name';
        this.sort = key;
        this.most = STEP;
        this.choose();
      },
    }, title));
  }

  controls() {
    const { process } = this;
    const codecs = [...new Set(process.rows.map((_, i) => process.textOf(i, 'codec')))].filter(Boolean).sort();
    const option = (value, text) => el('option', { value }, text);
    let wait;
    this.text = el('input', { type: 'search', placeholder: 'function, file, library or number', oninput: () => {
      clearTimeout(wait);
      wait = setTimeout(() => this.choose(), 120);
    } });
    const change = { onchange: () => this.choose() };
    this.codec = el('select', change, option('', 'any'), ...codecs.map((c) => option(c, c)));
    this.role = el('select', change, option('', 'any'), ...['workspace', 'output', 'input'].map((r) => option(r, r)));
    this.flagged = el('input', { type: 'checkbox', ...change });
    return el('form', { class: 'controls', onsubmit: (event) => event.preventDefault() },
      el('label', {}, 'Filter ', this.text), el('label', {}, 'Codec ', this.codec),
      el('label', {}, 'Role ', this.role), el('label', {}, this.flagged, ' flagged only'));
  }

  matches() {
    const { process } = this, text = this.text.value.trim();
    const stacks = text ? stacksWith(process, text) : null;
    const kept = [];
    for (let i = 0; i < process.rows.length; i++) {
      if (this.flagged.checked && !process.figure(i, 'flagged')) continue;
      if (this.codec.value && process.textOf(i, 'codec') !== this.codec.value) continue;
      if (this.role.value && process.textOf(i, 'role') !== this.role.value) continue;
      if (stacks && !stacks[process.figure(i, 'node')] && String(process.figure(i, 'id')) !== text.replace('#', '')) continue;
      kept.push(i);
    }
    return kept;
  }

  choose() {
    const { process } = this, [, , get] = COLUMNS.find(([key]) => key === this.sort);
    this.kept = this.matches();
    const keys = new Map(this.kept.map((i) => [i, get ? get(process, i) : process.nameOf(i)]));
    const sign = this.down ? -1 : 1;
    this.kept.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return x < y ? -sign : x > y ? sign : a - b;
    });
    this.heads.forEach((th, i) => th.setAttribute('aria-sort',
      COLUMNS[i][0] === this.sort ? (this.down ? 'descending' : 'ascending') : 'none'));
    this.draw();
  }

  row(index) {
    const { process } = this, id = process.figure(index, 'id');
    const cells = COLUMNS.slice(2).map(([key, , get, show]) => {
      const value = get(process, index);
      const cell = el('td', { class: key }, el('span', {}, value < 0 ? '–' : show(value)));
      if (key === 'size') cell.append(this.spark(index, 'size_classes', this.sizes, 'sizes'));
      if (key === 'life') cell.append(this.spark(index, 'life_classes', this.lives, 'lives'));
      return cell;
    });
    const link = el('a', { href: `#site-${id}`, onclick: (event) => {
      event.preventDefault();
      this.context.openSite(id);
      this.open(id);
    } }, `#${id}`);
    return el('tr', {}, el('td', { class: 'id' }, link),
      el('th', { scope: 'row', class: 'name' }, el('span', { class: 'function' }, process.nameOf(index)), ' ', ...tags(process, index)),
      ...cells);
  }

  spark(index, name, range, what) {
    const classes = this.process.figure(index, name);
    if (classes.length < 2) return '';
    const scale = name === 'life_classes' ? 1 / this.process.ticks_per_ns : 1;
    const show = name === 'life_classes' ? format.time : format.bytes;
    const from = show(classStart(classes[0]) * scale), to = show(classStart(classes[0] + classes.length - 1) * scale);
    return sparkline(classes, range, `${what} from ${from} to ${to}`);
  }

  draw() {
    const shown = this.kept.slice(0, this.most), rest = this.kept.length - shown.length;
    this.body.replaceChildren(...shown.map((i) => this.row(i)));
    this.said.textContent = `${format.count(this.kept.length)} of ${format.count(this.process.rows.length)} sites` +
      (rest ? `, the first ${format.count(shown.length)} shown` : '');
    this.more.hidden = rest === 0;
    this.more.textContent = `Show ${format.count(Math.min(rest, 5 * STEP))} more`;
  }

  open(id) {
    const index = this.process.indexOf(id);
    if (index < 0) {
      this.panel.replaceChildren(el('p', { role: 'alert' }, `There is no site ${id} in this recording.`));
    } else {
      this.panel.replaceChildren(detail(this.process, index, () => {
        this.panel.replaceChildren();
        history.replaceState(null, '', '#sites');
      }));
    }
    this.panel.scrollIntoView({ block: 'start' });
    this.panel.firstChild.focus?.({ preventScroll: true });
  }

  elements() {
    const caption = el('caption', {}, 'Places that allocate; histograms of size and life have one scale for all rows.');
    const controls = this.controls();
    this.choose();
    return [controls, this.said, this.panel,
      el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table of sites' },
        el('table', { class: 'sites' }, caption, el('thead', {}, el('tr', {}, ...this.heads)), this.body)),
      this.more];
  }
}

export const sites = (process, context) => new Sites(process, context).elements();
