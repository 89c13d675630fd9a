// Two recordings compared, as src/render/diff_html.c wrote them; and words for a change.
import { Sites } from './data.js';
import * as format from './format.js';

const UNITS = { message: 'a message', 'source-byte': 'a MiB of source', second: 'a second', run: 'in all' };

export class Diff extends Sites {
  static TEXTS = ['verdict', 'codec', 'codec_function', 'role'];

  constructor(raw) {
    super(raw);
    if (this.per !== 'source-byte') return;
    // A source byte costs less than one of anything: people are told of a MiB.
    const scale = (object, names) => names.forEach((name) => { if (object[name] !== null) object[name] *= 1048576; });
    this.rows.forEach((row) => scale(row, ['before', 'after', 'error'].map((name) => this.column[name])));
    this.figures.filter((f) => f.per_unit).forEach((f) => scale(f, ['before', 'after', 'error']));
  }

  /** Beside those that are recorded: what of a difference is no chance, and how wide a box is. */
  figure(index, name) {
    if (name === 'difference') return this.isChanged(index) ? this.figure(index, 'after') - this.figure(index, 'before') : 0;
    if (name === 'change') return Math.abs(this.figure(index, 'difference'));
    if (name === 'larger') return Math.max(this.figure(index, 'before'), this.figure(index, 'after'));
    return super.figure(index, name);
  }

  isChanged(index) { return this.textOf(index, 'verdict') !== 'same'; }

  /** "a message", what figures are divided by. */
  get unit() { return UNITS[this.per]; }

  sideName(side) { return side.command || '(nothing)'; }
}

/** "+240 %", "×12"; what was nothing has no percentage. */
export function relation(before, after) {
  if (before === after || (before > 0 && Math.abs(after / before - 1) < 0.0005)) return '=';
  if (!before || !after) return before ? 'gone' : 'new';
  if (after / before >= 10) return `×${format.ratio(after / before)}`;
  return `${after > before ? '+' : '−'}${format.percent(Math.abs(after / before - 1))}`;
}

/** The same as a part of a sentence. */
export function inWords(before, after) {
  if (relation(before, after) === '=') return 'the same';
  if (!before || !after) return before ? 'gone' : 'new';
  if (after >= 2 * before) return `${format.ratio(after / before)} times as much`;
  return `${format.percent(Math.abs(after / before - 1))} ${after > before ? 'more' : 'less'}`;
}
