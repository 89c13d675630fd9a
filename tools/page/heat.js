// Threads and sites: who allocates where, the largest of each.
import { choice, el } from './dom.js';
import { VALUES } from './data.js';
import * as format from './format.js';

const MOST = 24;
// Cividis, the same for all who see colours differently, from little to much.
const SCALE = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];

/** Relative luminance; from 0.18 on black is the easier to read. */
const bright = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);

function colour(part) {
  const at = Math.min(Math.max(part, 0), 1) * (SCALE.length - 1), low = Math.min(Math.floor(at), SCALE.length - 2);
  const mix = SCALE[low].map((v, i) => Math.round(v + (SCALE[low + 1][i] - v) * (at - low)));
  return { background: `rgb(${mix.join(',')})`, text: bright(mix) > 0.18 ? '#000' : '#fff' };
}

const brief = (value, v) => (value === 'allocs' ? format.count(v) : value === 'allocator_ns' ? format.time(v) : format.bytes(v));

function draw(process, value, place) {
  const at = 1 + ['allocs', 'bytes', 'live_bytes', 'allocator_ns'].indexOf(value);
  const order = process.rows.map((_, i) => i).sort((a, b) => process.figure(b, value) - process.figure(a, value)).slice(0, MOST);
  const cells = new Map(), sums = new Map();
  for (const i of order) {
    const rows = process.threadsAt(i);
    for (let r = 0; r < rows.length; r += 5) {
      const key = `${rows[r]} ${i}`;
      cells.set(key, (cells.get(key) ?? 0) + rows[r + at]);
      sums.set(rows[r], (sums.get(rows[r]) ?? 0) + rows[r + at]);
    }
  }
  const threads = [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a)).slice(0, MOST);
  const most = Math.max(...cells.values(), 1), least = Math.min(...[...cells.values()].filter((v) => v > 0), most);
  const part = (v) => (most > least ? Math.log(v / least) / Math.log(most / least) : 1);
  const cell = (thread, i) => {
    const v = cells.get(`${thread} ${i}`) ?? 0, td = el('td', {}, v > 0 ? brief(value, v) : '');
    if (v > 0) {
      const { background, text } = colour(part(v));
      td.style.backgroundColor = background;
      td.style.color = text;
    }
    return td;
  };
  place.replaceChildren(el('table', { class: 'heat' },
    el('caption', {}, `${VALUES[value]}, sites across, threads down; brighter is more, on a logarithmic scale` +
      (process.rows.length > MOST || process.threads.length > MOST ? `; the ${MOST} largest of each` : '')),
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Thread'), ...order.map((i) => el('th', { scope: 'col' },
      el('a', { href: `#site-${process.figure(i, 'id')}`, title: process.nameOf(i) }, `#${process.figure(i, 'id')}`),
      el('span', { class: 'function' }, process.nameOf(i)))))),
    el('tbody', {}, ...threads.map((thread) => el('tr', {}, el('th', { scope: 'row' }, process.threadName(thread)),
      ...order.map((i) => cell(thread, i)))))));
}

export function heat(process) {
  if (!process.rows.length) return el('p', {}, 'No site was recorded.');
  const place = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Heat map' });
  draw(process, 'bytes', place);
  return [el('div', { class: 'controls' }, choice('Show', Object.entries(VALUES), 'bytes', (value) => draw(process, value, place))), place];
}
