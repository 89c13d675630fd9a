// A table that is sorted and filtered over all its rows, and shows a screen or two; a row opens above it.
import { el } from './dom.js';
import * as format from './format.js';

const STEP = 100;

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

export class Rows {
  /** columns: [key, title, (process, index) => sort key]; caption: of the table. */
  constructor(process, context, { columns, caption, sort }) {
    Object.assign(this, { process, context, columns, caption, sort, down: true, most: STEP });
    this.body = el('tbody');
    this.said = el('p', { class: 'quiet', role: 'status' });
    this.more = el('button', { type: 'button', onclick: () => { this.most += 5 * STEP; this.draw(); } });
    this.panel = el('div', { class: 'panel' });
    this.heads = columns.map(([key, title]) => this.head(key, title));
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

  /** Controls above the table; this.text is where a text is asked for. */
  form(...more) {
    let wait;
    this.text = el('input', { type: 'search', placeholder: 'function, file, library, number', oninput: () => {
      clearTimeout(wait);
      wait = setTimeout(() => this.choose(), 120);
    } });
    return el('form', { class: 'controls', onsubmit: (event) => event.preventDefault() },
      el('label', {}, 'Filter ', this.text), ...more);
  }

  select(...options) {
    return el('select', { onchange: () => this.choose() }, ...options.map(([value, text]) => el('option', { value }, text)));
  }

  codecs() {
    const names = new Set(this.process.rows.map((_, i) => this.process.textOf(i, 'codec')));
    return this.select(['', 'any'], ...[...names].filter(Boolean).sort().map((c) => [c, c]));
  }

  matches() {
    const { process } = this, text = this.text.value.trim(), number = text.replace('#', '');
    const stacks = text ? stacksWith(process, text) : null, kept = [];
    for (let i = 0; i < process.rows.length; i++)
      if (this.isWanted(i) && (!stacks || stacks[process.figure(i, 'node')] || String(process.figure(i, 'id')) === number))
        kept.push(i);
    return kept;
  }

  choose() {
    const { process } = this, [, , get] = this.columns.find(([key]) => key === this.sort);
    this.kept = this.matches();
    const keys = new Map(this.kept.map((i) => [i, get(process, i)]));
    const sign = this.down ? -1 : 1;
    this.kept.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return x < y ? -sign : x > y ? sign : a - b;
    });
    this.heads.forEach((th, i) => th.setAttribute('aria-sort',
      this.columns[i][0] === this.sort ? (this.down ? 'descending' : 'ascending') : 'none'));
    this.draw();
  }

  link(index) {
    const id = this.process.figure(index, 'id');
    return el('a', { href: `#site-${id}`, onclick: (event) => {
      event.preventDefault();
      this.context.openSite(id);
      this.open(id);
    } }, `#${id}`);
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
      this.panel.replaceChildren(this.detail(index, () => {
        this.panel.replaceChildren();
        history.replaceState(null, '', '#sites');
      }));
    }
    this.panel.scrollIntoView({ block: 'start' });
    this.panel.firstChild.focus?.({ preventScroll: true });
  }

  elements() {
    const controls = this.controls();
    this.choose();
    return [controls, this.said, this.panel,
      el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table of sites' },
        el('table', { class: 'sites' }, el('caption', {}, this.caption), el('thead', {}, el('tr', {}, ...this.heads)), this.body)),
      this.more];
  }
}
