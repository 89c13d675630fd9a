// Live bytes and rates over the run, with what stands out marked, and the time in which the findings
// came about: when codec calls ran.
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
  ].filter(([, at]) => at >= 0).map(([name, at, show], i) => ({ number: i + 1, name, at, text: show(at) }));
}

/** Lines and numbers at the moments; a band where codec calls ran. */
function marks(times, found, busy) {
  return (plot) => {
    const { ctx, bbox } = plot, scale = devicePixelRatio;
    ctx.save();
    if (busy) {
      const from = plot.valToPos(times[busy[0]], 'x', true), to = plot.valToPos(times[busy[1]], 'x', true);
      ctx.fillStyle = css('--band');
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
    }
    ctx.strokeStyle = ctx.fillStyle = css('--text');
    ctx.font = `bold ${12 * scale}px system-ui, sans-serif`;
    ctx.setLineDash([4 * scale, 4 * scale]);
    found.forEach(({ number, at }) => {
      const x = plot.valToPos(times[at], 'x', true), y = bbox.top + 12 * scale * number;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.textAlign = x > bbox.left + bbox.width - 20 * scale ? 'right' : 'left';
      ctx.fillText(` ${number} `, x, y);
    });
    ctx.restore();
  };
}

export function timeline(process) {
  const ticks = process.timeline;
  if (ticks.length < 3) return el('p', {}, 'The run was too short for a timeline.');
  const times = ticks.map((t) => t.t), live = ticks.map((t) => t.live_bytes);
  const rates = (name) => ticks.map((t, i) => (i ? rateOf(name)(t, ticks[i - 1]) : null));
  const made = rates('allocated_bytes'), packed = rates('codec_bytes');
  const found = moments(ticks, live, made, packed);
  const active = packed.map((v, i) => (v > 0 ? i : -1)).filter((i) => i >= 0);
  const busy = active.length ? [Math.max(active[0] - 1, 0), active.at(-1)] : null;
  const options = {
    scales: { x: { time: false }, live: { range: fromZero }, rate: { range: fromZero } },
    axes: [axis((v) => `${v} s`, { size: 40 }), axis(format.bytes, { scale: 'live', incrs: BINARY }),
      axis(perSecond, { scale: 'rate', side: 1, incrs: BINARY, grid: { show: false }, size: 84 })],
    series: [{ label: 'Time', value: (_, v) => (v === null ? '–' : `${v.toFixed(2)} s`) },
      line('Live, large blocks', '--blue', 'live', format.bytes, { fill: () => css('--wash') }),
      line('Allocated', '--orange', 'rate', perSecond), line('Compressed', '--green', 'rate', perSecond, { dash: [6, 4] })],
    hooks: { drawAxes: [marks(times, found, busy)] },
  };
  const words = found.map(({ name, at, text }) => `${name} ${text} at ${times[at].toFixed(1)} s`).join('; ');
  const about = process.findings.length && busy
    ? `Codec calls ran from ${times[busy[0]].toFixed(1)} s to ${times[busy[1]].toFixed(1)} s (shaded): what the findings are about was allocated then.` : null;
  return [chart(options, [times, live, made, packed], `Live bytes and rates over ${format.time(process.seconds * 1e9)}: ${words}`),
    el('ol', { class: 'moments' }, ...found.map(({ name, at, text }) => el('li', {}, `${name}: ${text}, at ${times[at].toFixed(1)} s`))),
    about && el('p', { class: 'quiet' }, about)].filter(Boolean);
}
