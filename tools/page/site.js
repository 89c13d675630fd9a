// One site, whole.
import { el, table } from './dom.js';
import { bars } from './bars.js';
import { classStart } from './data.js';
import * as format from './format.js';

function histogram(title, classes, scale, show) {
  if (classes.length < 2) return null;
  const octaves = new Map();
  for (let i = 1; i < classes.length; i++) {
    const octave = Math.floor((classes[0] + i - 1) / 2) * 2;
    octaves.set(octave, (octaves.get(octave) ?? 0) + classes[i]);
  }
  const sum = [...octaves.values()].reduce((a, b) => a + b, 0);
  return bars(title, [...octaves].map(([c, n]) => ({
    label: `from ${show(classStart(c) * scale)}`, value: n, text: format.percent(n / sum),
  })));
}

export function stack(process, site) {
  return el('ol', { class: 'stack' }, ...process.stack(site.node).map((f) => el('li', {},
    el('code', {}, f.name), f.inlined ? el('span', { class: 'quiet' }, ' inlined') : null,
    el('span', { class: 'where' }, f.file ? ` ${f.file}${f.line ? `:${f.line}` : ''}` : '',
      f.module ? ` in ${format.base(f.module)}` : ''))));
}

function facts(process, site) {
  const [least, most, mean] = site.size_spread, life = site.life_spread_ns;
  const about = site.estimated ? 'about ' : '';
  const list = [
    ['Allocated', `${about}${format.bytes(site.bytes)} in ${format.count(site.allocs)} blocks`],
    ['Freed', `${about}${format.count(site.frees)} blocks` + (site.remote_frees ? `, ${format.count(site.remote_frees)} by other threads` : '')],
    ['Live', `${format.bytes(site.live_bytes)} in ${format.count(site.live_blocks)} blocks; at most ${format.bytes(site.peak)}`],
    ['Size', mean === undefined ? 'not known' : `${format.bytes(least)} to ${format.bytes(most)}, mean ${format.bytes(mean)}`],
    ['Life', life.length ? `${format.time(life[0])} to ${format.time(life[1])}, mean ${format.time(life[2])}` : 'not known'],
    ['In the allocator', format.time(site.allocator_ns)],
    ['Large blocks', site.large_allocs ? `${format.count(site.large_allocs)}; ${format.count(site.transient)} transient, ` +
      `${format.count(site.mmapped)} by mmap, ${format.count(site.grown)} grown` : 'none'],
  ];
  if (site.codec) list.push(['Codec', [site.codec, site.direction, site.function, site.role].filter(Boolean).join(', ')]);
  if (site.served_by) list.push(['Served', site.served_by]);
  if (site.source_ratio) list.push(['Block to source', `${format.ratio(site.source_ratio)} on average`]);
  return el('dl', { class: 'facts' }, ...list.flatMap(([name, text]) => [el('dt', {}, name), el('dd', {}, text)]));
}

function threads(process, site) {
  const rows = [];
  const flat = process.threadsAt(site.index);
  for (let i = 0; i < flat.length; i += 5) rows.push(flat.slice(i, i + 5));
  return table('By thread', [['Thread'], ['Blocks', 'number'], ['Bytes', 'number'], ['Live', 'number'], ['Allocator', 'number']],
    rows.slice(0, 50).map(([thread, allocs, bytes, live, ns]) => [process.threadName(thread), format.count(allocs),
      format.bytes(bytes), format.bytes(live), format.time(ns)]));
}

export function detail(process, index, close) {
  const site = process.site(index);
  return el('article', { id: `site-${site.id}`, class: 'site', tabindex: -1, 'aria-label': `Site ${site.id}`,
    onkeydown: (event) => { if (event.key === 'Escape') close(); } },
    el('button', { type: 'button', class: 'close', onclick: close }, 'Close'),
    el('h3', {}, `#${site.id} ${process.nameOf(index)}`),
    el('div', { class: 'columns' }, facts(process, site),
      el('div', {}, histogram('Sizes', site.size_classes, 1, format.bytes)),
      el('div', {}, histogram('Lives', site.life_classes, 1 / process.ticks_per_ns, format.time))),
    el('h4', {}, 'Stack, innermost first'), stack(process, site),
    el('p', { class: 'quiet' }, `The stack was walked until: ${site.end}.`),
    threads(process, site));
}
