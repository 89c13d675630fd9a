// The sites of both recordings: what each took before and after, and how far chance reaches.
import { relation } from './diffdata.js';
import { el, svg, table } from './dom.js';
import { Rows } from './rows.js';
import { tags } from './sites.js';
import { stack } from './site.js';
import * as format from './format.js';

const WORDS = { new: 'new', gone: 'gone', more: 'more', less: 'less', same: 'no change' };
const ORDER = Object.keys(WORDS);
const COLUMNS = [
  ['id', 'Site', (d, i) => d.figure(i, 'id')],
  ['name', 'Allocated by', (d, i) => d.nameOf(i)],
  ['verdict', 'Verdict', (d, i) => -ORDER.indexOf(d.textOf(i, 'verdict'))],
  ['before', 'Before', (d, i) => d.figure(i, 'before')],
  ['after', 'After', (d, i) => d.figure(i, 'after')],
  ['difference', 'Difference', (d, i) => Math.abs(d.figure(i, 'after') - d.figure(i, 'before'))],
  ['part', 'Before, after, chance', (d, i) => (d.figure(i, 'after') - d.figure(i, 'before')) / (d.figure(i, 'larger') || 1)],
  ['blocks', 'Blocks', (d, i) => d.figure(i, 'allocs_after') - d.figure(i, 'allocs_before')],
];

const signed = (v) => (v ? `${v > 0 ? '+' : '−'}${format.bytes(Math.abs(v))}` : '0 B');

/** Two bars, and around the end of the second as far as chance may move it. */
export function pair(before, after, error, verdict, width = 132) {
  const most = Math.max(before, after + error) || 1, x = (v) => Math.max(0, Math.min((v / most) * (width - 2), width - 2)) + 1;
  const [low, high] = [x(after - error), x(after + error)];
  return svg('svg', { class: `pair ${verdict}`, viewBox: `0 0 ${width} 22`, width, height: 22, role: 'img',
    'aria-label': `${format.bytes(before)} before, ${format.bytes(after)} after, by chance up to ${format.bytes(error)}` },
  svg('rect', { class: 'before', x: 1, y: 2, width: x(before) - 1, height: 7 }),
  svg('rect', { class: 'after', x: 1, y: 12, width: x(after) - 1, height: 7 }),
  svg('path', { class: 'chance', d: `M${low} 15.5H${high}M${low} 12v7M${high} 12v7` }),
  svg('path', { class: 'reach', d: `M${x(before)} 1V21` }));
}

class DiffSites extends Rows {
  constructor(diff, context) {
    super(diff, context, { columns: COLUMNS, sort: 'difference',
      caption: `Places that allocate, bytes ${diff.unit}. Each picture has a scale of its own: above before, below after; ` +
        'where the thin line reaches over the dashed one, chance explains the difference.' });
    this.most_difference = Math.max(...diff.rows.map((_, i) => diff.figure(i, 'change')), 0);
  }

  controls() {
    const any = this.process.sites_changed > 0;
    this.verdict = this.select(['changed', 'changed'], ['', 'all'], ...ORDER.map((v) => [v, WORDS[v]]));
    this.verdict.value = any ? 'changed' : '';
    this.codec = this.codecs();
    return this.form(el('label', {}, 'Verdict ', this.verdict), el('label', {}, 'Codec ', this.codec));
  }

  isWanted(i) {
    const { process } = this, verdict = process.textOf(i, 'verdict'), wanted = this.verdict.value;
    return (!wanted || verdict === wanted || (wanted === 'changed' && verdict !== 'same')) &&
      (!this.codec.value || process.textOf(i, 'codec') === this.codec.value);
  }

  row(index) {
    const { process } = this, figure = (name) => process.figure(index, name), verdict = process.textOf(index, 'verdict');
    const before = figure('before'), after = figure('after');
    return el('tr', { class: verdict }, el('td', { class: 'id' }, this.link(index)),
      el('th', { scope: 'row', class: 'name' }, el('span', { class: 'function' }, process.nameOf(index)), ' ', ...tags(process, index)),
      el('td', { class: 'verdict' }, el('span', { class: `verdict ${verdict}` }, WORDS[verdict])),
      el('td', { class: 'before' }, format.bytes(before)), el('td', { class: 'after' }, format.bytes(after)),
      el('td', { class: 'difference' }, signed(after - before), el('span', { class: 'where' }, ` ${relation(before, after)}`)),
      el('td', { class: 'part' }, pair(before, after, figure('error'), verdict)),
      el('td', { class: 'blocks' }, `${format.count(figure('allocs_before'))} → ${format.count(figure('allocs_after'))}`));
  }

  detail(index, close) {
    const { process } = this, site = process.site(index), id = `site-${site.id}`;
    const row = (name, show, of) => [name, show(site[`${of}before`]), show(site[`${of}after`]), relation(site[`${of}before`], site[`${of}after`])];
    return el('article', { id, class: 'site', tabindex: -1, 'aria-label': `Site ${site.id}`,
      onkeydown: (event) => { if (event.key === 'Escape') close(); } },
    el('button', { type: 'button', class: 'close', onclick: close }, 'Close'),
    el('h3', {}, `#${site.id} ${process.nameOf(index)} `, ...tags(process, index)),
    el('p', {}, el('span', { class: `verdict ${site.verdict}` }, WORDS[site.verdict]),
      ` ${format.bytes(site.before)} → ${format.bytes(site.after)} ${process.unit}; chance alone may make a difference of ${format.bytes(site.error)}.`),
    pair(site.before, site.after, site.error, site.verdict, 320),
    table('As recorded', [['Figure'], ['Before', 'number'], ['After', 'number'], ['Change', 'number']], [
      [`Bytes ${process.unit}`, format.bytes(site.before), format.bytes(site.after), relation(site.before, site.after)],
      row('Bytes in all', format.bytes, 'bytes_'), row('Blocks', format.count, 'allocs_'),
      row('Live at the end', format.bytes, 'live_'), row('Time in the allocator', format.time, 'time_')]),
    site.codec_function ? el('p', { class: 'quiet' }, 'In or for calls of ', el('code', {}, site.codec_function)) : null,
    el('h4', {}, 'Stack, innermost first'), stack(process, site));
  }
}

export const sites = (diff, context) => new DiffSites(diff, context).elements();
