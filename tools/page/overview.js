// What was recorded, in one glance.
import { el } from './dom.js';
import * as format from './format.js';

function how(process) {
  const end = process.ended_by ? `${process.state}: ${process.ended_by}` : process.state;
  return `${end}, after ${format.time(process.seconds * 1e9)}`;
}

export function overview(process) {
  const { totals } = process;
  const about = totals.estimated ? 'about ' : '';
  const figures = [
    ['Allocated', format.bytes(totals.bytes), `${format.count(totals.allocs)} blocks`],
    ['Live at the end', about + format.bytes(totals.live_bytes), `${format.count(totals.frees)} blocks freed`],
    ['Live at most', (totals.peak_is_lower_bound ? '≥ ' : '') + format.bytes(totals.peak_live_bytes), 'at once'],
    ['In the allocator', format.time(totals.allocator_ns), 'of all threads'],
    ['Sites', format.count(process.rows.length), `${process.threads.length} threads`],
  ];
  return el('div', { class: 'overview' },
    el('p', { class: 'command', tabindex: 0, role: 'region', 'aria-label': 'Command' }, el('code', {}, process.argv.join(' ') || process.exe)),
    el('p', { class: 'quiet' }, `pid ${process.pid}, ${how(process)}; started ` +
      `${new Date(process.start * 1000).toISOString().replace('T', ' ').slice(0, 19)} UTC; ` +
      `${process.mode} mode${process.mode === 'exact' ? '' : ': small blocks are sampled'}`),
    el('dl', { class: 'figures' }, ...figures.map(([name, figure, more]) =>
      el('div', {}, el('dt', {}, name), el('dd', {}, el('strong', {}, figure),
        el('span', {}, more))))));
}
