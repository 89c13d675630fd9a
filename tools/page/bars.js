// Small pictures: bars beside words, histograms as sparklines.
import { el, svg } from './dom.js';

/** Rows of {label, value, text, tone, error}; lengths are to the largest. */
export function bars(title, rows) {
  const most = Math.max(...rows.map((row) => row.value + (row.error ?? 0)), 1e-300);
  return el('figure', { class: 'bars' }, el('figcaption', {}, title),
    ...rows.map((row) => {
      const bar = el('span', { class: `fill ${row.tone ?? ''}` });
      bar.style.width = `${Math.max((row.value / most) * 100, row.value > 0 ? 0.7 : 0)}%`;
      return el('div', { class: 'row' }, el('span', { class: 'label' }, row.label),
        el('span', { class: 'track', 'aria-hidden': 'true' }, bar, row.error > 0 ? whisker(row, most) : null),
        el('span', { class: 'text' }, row.text));
    }));
}

/** How far chance may move the end of a bar. */
function whisker({ value, error }, most) {
  const low = Math.max(value - error, 0), line = el('span', { class: 'whisker' });
  line.style.left = `${(low / most) * 100}%`;
  line.style.width = `${((value + error - low) / most) * 100}%`;
  return line;
}

/** A cell with a bar behind its figure. */
export function cell(value, most, text) {
  const bar = el('span', { class: 'behind', 'aria-hidden': 'true' });
  bar.style.width = `${most > 0 ? (value / most) * 100 : 0}%`;
  return el('span', { class: 'cell' }, bar, el('span', {}, text));
}

const OCTAVE = 2; // classes are half-octaves; two make a bar

/** classes: [first, count, ...] as recorded; range: the classes that all rows of a column share. */
export function sparkline(classes, range, label, width = 96, height = 22) {
  const [low, high] = range.map((c) => Math.floor(c / OCTAVE));
  const sums = new Array(high - low + 1).fill(0);
  for (let i = 1; i < classes.length; i++)
    sums[Math.floor((classes[0] + i - 1) / OCTAVE) - low] += classes[i];
  const most = Math.max(...sums), step = width / sums.length;
  let path = '';
  sums.forEach((sum, i) => {
    if (!sum) return;
    const tall = Math.max((sum / most) * (height - 2), 1.5);
    path += `M${(i * step).toFixed(1)} ${height}v${-tall.toFixed(1)}h${Math.max(step - 1, 1).toFixed(1)}V${height}z`;
  });
  return svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label },
    svg('path', { class: 'ground', d: `M0 ${height - 0.5}H${width}` }), svg('path', { d: path }));
}

/** The classes that any of these histograms has something in. */
export function rangeOf(histograms) {
  let low = Infinity, high = -1;
  for (const classes of histograms) {
    if (classes.length < 2) continue;
    low = Math.min(low, classes[0]);
    high = Math.max(high, classes[0] + classes.length - 2);
  }
  // A single bar as wide as its place would look like many.
  return high < 0 ? [0, 1] : [low, Math.max(high, low + 8 * OCTAVE)];
}
