// Live bytes and rates over the run, with the findings marked, what stands out, and when codec calls ran.
import { BINARY, axis, chart, fromZero, line } from './chart.js';
import { css, el } from './dom.js';
import * as format from './format.js';

const rateOf = (name) => (tick, before) => {
  const time = tick.t - before.t;
  return time > 0 ? Math.max(tick[name] - before[name], 0) / time : 0;
};
const perSecond = (v) => `${format.bytes(v)}/s`;

function largest(values) {
  let at = -1;
  values.forEach((v, i) => { if (v !== null && v > 0 && (at < 0 || v > values[at])) at = i; });
  return at;
}

function moments(ticks, live, made, packed) {
  const inside = ticks.map((t) => t.in_allocator);
  return [
    ['most live', largest(live), (i) => format.bytes(live[i])],
    ['highest rate', largest(made), (i) => perSecond(made[i])],
    ['most compressed', largest(packed), (i) => perSecond(packed[i])],
    ['most threads in the allocator', Math.max(...inside) > 1 ? largest(inside) : -1, (i) => format.count(inside[i])],
  ].filter(([, at]) => at >= 0).map(([name, at, show], i) => ({ mark: 'abcd'[i], name, at, text: show(at) }));
}

// What a finding is about has no clock of its own, but a figure of the timeline that it drives: where
// this is largest, the finding was at its worst.
const MEMORY = ['contexts-times-cores', 'never-closed', 'worst-case-block'];
const CALLS = ['concurrency-past-throughput', 'small-messages-hardly-shrink'];

function worst(finding, live, made, packed) {
  const inCalls = made.map((v, i) => (packed[i] > 0 ? v : null));
  if (MEMORY.includes(finding.rule)) return [largest(live), (i) => `${format.bytes(live[i])} live`];
  if (CALLS.includes(finding.rule)) return [largest(packed), (i) => `${perSecond(packed[i])} compressed`];
  return [largest(inCalls) >= 0 ? largest(inCalls) : largest(made), (i) => `${perSecond(made[i])} allocated` + (packed[i] > 0 ? `, ${perSecond(packed[i])} compressed` : '')];
}

/** Each finding with the tick at which it was at its worst. */
function marked(findings, live, made, packed) {
  return findings.map((finding, i) => {
    const [at, show] = worst(finding, live, made, packed);
    return { number: i + 1, rule: finding.rule, at, text: at >= 0 ? show(at) : '' };
  }).filter(({ at }) => at >= 0);
}

/** From which tick to which codec calls ran, again and again. */
function spans(packed) {
  const out = [];
  packed.forEach((v, i) => {
    if (!(v > 0)) return;
    if (out.length && out.at(-1)[1] === i - 1) out.at(-1)[1] = i;
    else out.push([Math.max(i - 1, 0), i]);
  });
  return out;
}

function drawLine({ ctx, bbox }, x, dash) {
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}

/** Bands where codec calls ran; dashed lines with letters at the moments. */
function below(times, moments, busy) {
  return (plot) => {
    const { ctx, bbox } = plot, scale = devicePixelRatio, x = (i) => plot.valToPos(times[i], 'x', true);
    ctx.save();
    ctx.fillStyle = css('--band');
    for (const [from, to] of busy) ctx.fillRect(x(from), bbox.top, x(to) - x(from), bbox.height);
    ctx.strokeStyle = ctx.fillStyle = css('--quiet');
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    moments.forEach(({ mark, at }, i) => {
      drawLine(plot, x(at), [4 * scale, 4 * scale]);
      ctx.textAlign = x(at) > bbox.left + bbox.width - 20 * scale ? 'right' : 'left';
      ctx.fillText(` ${mark} `, x(at), bbox.top + bbox.height - 5 * scale - 13 * scale * i);
    });
    ctx.restore();
  };
}

/** The findings: a line and a flag with their numbers, those of one tick together. */
function flags(times, findings) {
  const at = Map.groupBy ? Map.groupBy(findings, (f) => f.at) : findings.reduce((m, f) => m.set(f.at, [...(m.get(f.at) ?? []), f]), new Map());
  return (plot) => {
    const { ctx, bbox } = plot, scale = devicePixelRatio;
    ctx.save();
    ctx.font = `bold ${12 * scale}px system-ui, sans-serif`;
    let row = 0, last = -Infinity;
    for (const [tick, group] of [...at].sort((a, b) => a[0] - b[0])) {
      const x = plot.valToPos(times[tick], 'x', true), text = group.map((f) => f.number).join(', ');
      const wide = ctx.measureText(text).width + 12 * scale, high = 18 * scale;
      row = x < last ? row + 1 : 0; // flags that would cover each other stand one below the other
      last = Math.max(x + wide, row ? last : -Infinity);
      const left = Math.min(x, bbox.left + bbox.width - wide), top = bbox.top + row * (high + 2 * scale);
      ctx.strokeStyle = css('--orange');
      ctx.lineWidth = 2 * scale;
      drawLine(plot, x, []);
      ctx.fillStyle = css('--orange');
      ctx.fillRect(left, top, wide, high);
      ctx.fillStyle = css('--paper');
      ctx.textBaseline = 'middle';
      ctx.fillText(text, left + 6 * scale, top + high / 2 + scale);
    }
    ctx.restore();
  };
}

export function timeline(process) {
  const ticks = process.timeline;
  if (ticks.length < 3) return el('p', {}, 'The run was too short for a timeline.');
  const times = ticks.map((t) => t.t), live = ticks.map((t) => t.live_bytes);
  const rates = (name) => ticks.map((t, i) => (i ? rateOf(name)(t, ticks[i - 1]) : null));
  const made = rates('allocated_bytes'), packed = rates('codec_bytes');
  const found = moments(ticks, live, made, packed), busy = spans(packed);
  const findings = marked(process.findings, live, made, packed);
  const options = {
    scales: { x: { time: false }, live: { range: fromZero }, rate: { range: fromZero } },
    axes: [axis((v) => `${v} s`, { size: 40 }), axis(format.bytes, { scale: 'live', incrs: BINARY }),
      axis(perSecond, { scale: 'rate', side: 1, incrs: BINARY, grid: { show: false }, size: 84 })],
    series: [{ label: 'Time', value: (_, v) => (v === null ? '–' : `${v.toFixed(2)} s`) },
      line('Live, large blocks', '--blue', 'live', format.bytes, { fill: () => css('--wash') }),
      line('Allocated', '--orange', 'rate', perSecond), line('Compressed', '--green', 'rate', perSecond, { dash: [6, 4] })],
    hooks: { drawAxes: [below(times, found, busy)], draw: [flags(times, findings)] },
  };
  const digits = times.at(-1) < 10 ? 2 : 1, second = (i) => `${times[i].toFixed(digits)} s`;
  const words = [...findings.map(({ number, at, text }) => `finding ${number} ${text} at ${second(at)}`),
    ...found.map(({ name, at, text }) => `${name} ${text} at ${second(at)}`)].join('; ');
  return [chart(options, [times, live, made, packed], `Live bytes and rates over ${format.time(process.seconds * 1e9)}: ${words}`),
    findings.length ? el('ul', { class: 'marked' }, ...findings.map(({ number, rule, at, text }) => el('li', {},
      el('a', { class: 'flag', href: `#finding-${number}` }, `${number}`, el('span', { class: 'unseen' }, ' finding')), ' ', el('code', {}, rule), ` at its worst at ${second(at)}: ${text}`))) : null,
    el('ul', { class: 'moments' }, ...found.map(({ mark, name, at, text }) => el('li', {}, el('span', { class: 'mark' }, mark), ` ${name}: ${text}, at ${second(at)}`))),
    busy.length ? el('p', { class: 'quiet' }, 'Shaded: codec calls took source bytes. A finding stands where the figure that it drives was largest: the rate of ' +
      'allocation during codec calls, what was compressed, or what was live.') : null].filter(Boolean);
}
