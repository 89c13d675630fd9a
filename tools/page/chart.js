// Line charts by uPlot, in the colours of the page, as wide as their place.
import uPlot from 'uplot';
import { css, el } from './dom.js';

const colour = (name) => () => css(name);

export function axis(show, more = {}) {
  return {
    stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 },
    font: '12px system-ui, sans-serif', values: (_, values) => values.map((v) => (v === null ? '' : show(v))), size: 74, ...more,
  };
}

export function line(label, name, scale, show, more = {}) {
  return { label, scale, stroke: colour(name), width: 2, value: (_, v) => (v === null || v === undefined ? '–' : show(v)),
    points: { show: false }, ...more };
}

/** Ticks at round numbers of bytes. */
export const BINARY = Array.from({ length: 51 }, (_, i) => 2 ** i);
export const fromZero = (_, least, most) => [0, most > 0 ? most * 1.08 : 1];

/** An element with a chart in it; `label` says what is to be seen, for who does not see it. */
export function chart(options, data, label, height = 240) {
  const place = el('div', { class: 'chart', role: 'img', 'aria-label': label });
  let plot;
  const draw = () => {
    const width = Math.max(Math.floor(place.clientWidth), 240);
    if (plot) plot.setSize({ width, height });
    else plot = new uPlot({ width, height, ...options }, data, place);
  };
  new ResizeObserver(draw).observe(place);
  queueMicrotask(() => { if (place.isConnected && !plot) draw(); }); // paper does not wait for observers
  addEventListener('themechange', () => plot?.redraw(false));
  return place;
}
