// The sites of a report.
import { el } from './dom.js';
import { rangeOf, sparkline } from './bars.js';
import { classStart } from './data.js';
import { Rows } from './rows.js';
import { detail } from './site.js';
import * as format from './format.js';

const COLUMNS = [
  ['id', 'Site', (p, i) => p.figure(i, 'id')],
  ['name', 'Allocated by', (p, i) => p.nameOf(i)],
  ['bytes', 'Bytes', (p, i) => p.figure(i, 'bytes'), format.bytes],
  ['allocs', 'Blocks', (p, i) => p.figure(i, 'allocs'), format.count],
  ['live', 'Live', (p, i) => p.figure(i, 'live_bytes'), format.bytes],
  ['peak', 'Peak', (p, i) => p.figure(i, 'peak'), format.bytes],
  ['time', 'Allocator', (p, i) => p.figure(i, 'allocator_ns'), format.time],
  ['size', 'Size', (p, i) => p.figure(i, 'size_spread')[2] ?? -1, format.bytes],
  ['life', 'Life', (p, i) => p.figure(i, 'life_spread_ns')[2] ?? -1, format.time],
];

export function tags(process, index) {
  return ['codec', 'role'].map((name) => [name, process.textOf(index, name)])
    .filter(([, text]) => text).map(([name, text]) => el('span', { class: `tag ${name}` }, text));
}

class ReportSites extends Rows {
  constructor(process, context) {
    super(process, context, { columns: COLUMNS, sort: 'bytes',
      caption: 'Places that allocate; histograms of size and life have one scale for all rows.' });
    this.sizes = rangeOf(process.rows.map((row) => row[process.column.size_classes]));
    this.lives = rangeOf(process.rows.map((row) => row[process.column.life_classes]));
  }

  controls() {
    this.codec = this.codecs();
    this.role = this.select(['', 'any'], ...['workspace', 'output', 'input'].map((r) => [r, r]));
    this.flagged = el('input', { type: 'checkbox', onchange: () => this.choose() });
    return this.form(el('label', {}, 'Codec ', this.codec), el('label', {}, 'Role ', this.role),
      el('label', {}, this.flagged, ' flagged only'));
  }

  isWanted(i) {
    const { process } = this;
    return (!this.flagged.checked || process.figure(i, 'flagged')) &&
      (!this.codec.value || process.textOf(i, 'codec') === this.codec.value) &&
      (!this.role.value || process.textOf(i, 'role') === this.role.value);
  }

  row(index) {
    const { process } = this;
    const cells = COLUMNS.slice(2).map(([key, , get, show]) => {
      const value = get(process, index);
      const cell = el('td', { class: key }, el('span', {}, value < 0 ? '–' : show(value)));
      if (key === 'size') cell.append(this.spark(index, 'size_classes', this.sizes, 'sizes'));
      if (key === 'life') cell.append(this.spark(index, 'life_classes', this.lives, 'lives'));
      return cell;
    });
    const flagged = process.figure(index, 'flagged') ? el('span', { class: 'tag flagged' }, 'flagged') : '';
    return el('tr', {}, el('td', { class: 'id' }, this.link(index)),
      el('th', { scope: 'row', class: 'name' }, el('span', { class: 'function' }, process.nameOf(index)), ' ', ...tags(process, index), flagged),
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

  detail(index, close) { return detail(this.process, index, close); }
}

export const sites = (process, context) => new ReportSites(process, context).elements();
