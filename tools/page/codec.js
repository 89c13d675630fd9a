// Codec calls by function, and by size of message: how well they shrink, and what they cost.
import { cell } from './bars.js';
import { el, table } from './dom.js';
import * as format from './format.js';

const SUMS = ['calls', 'nested', 'failures', 'messages', 'source_bytes', 'produced_bytes', 'seconds', 'cpu_seconds', 'page_faults'];

function add(to, from, names) {
  for (const name of names) to[name] = (to[name] ?? 0) + (from[name] ?? 0);
}

/** Calls of one function from all places. */
export function byFunction(process) {
  const functions = new Map();
  for (const call of process.codec_calls) {
    const key = `${call.function} ${call.direction}`;
    let f = functions.get(key);
    if (!f) functions.set(key, f = { function: call.function, codec: call.codec, direction: call.direction, sizes: new Map(), places: 0 });
    f.places++;
    add(f, call, SUMS);
    for (const size of call.size_histogram) {
      if (!f.sizes.has(size.from)) f.sizes.set(size.from, { from: size.from, to: size.to });
      add(f.sizes.get(size.from), size, SUMS);
    }
  }
  return [...functions.values()].sort((a, b) => b.source_bytes - a.source_bytes);
}

const known = (v, show) => (Number.isFinite(v) ? show(v) : '–');
const cost = (of) => (of.seconds * 1e9) / of.source_bytes; // ns per byte: the same as s per GB
/** None: it was not measured. */
const cpuShare = (of) => (of.cpu_seconds > 0 ? of.cpu_seconds / of.seconds : NaN);
const perByte = (v) => `${format.ratio(v)} ns/B`;

function sizesOf(f) {
  const sizes = [...f.sizes.values()].sort((a, b) => a.from - b.from).filter((s) => s.calls);
  if (!sizes.length) return null;
  const most = Math.max(...sizes.map((s) => s.calls)), dear = Math.max(...sizes.map(cost).filter(Number.isFinite));
  return table(`${f.function ?? f.codec}: messages by size of their source`,
    [['Source'], ['Messages', 'number'], ['Produced / source', 'number'], ['Time a byte', 'number'], ['CPU / time', 'number'], ['Page faults each', 'number']],
    sizes.map((s) => [`${format.bytes(s.from)} to ${format.bytes(s.to)}`, cell(s.calls, most, format.count(s.calls)),
      cell(Math.min(s.produced_bytes / s.source_bytes || 0, 1.2), 1.2, known(s.produced_bytes / s.source_bytes, format.ratio)),
      cell(cost(s) || 0, dear, known(cost(s), perByte)), known(cpuShare(s), format.percent), known(s.cpu_seconds > 0 ? s.page_faults / s.calls : NaN, format.ratio)]));
}

export function codec(process) {
  // What runs only within calls of others has its time and bytes there.
  const functions = byFunction(process).filter((f) => f.nested < f.calls);
  if (!functions.length) return el('p', {}, 'No call of a codec was seen.');
  const most = Math.max(...functions.map((f) => f.source_bytes));
  return [table('Codec functions, called from outside, from all places', [['Function'], ['Codec'], ['Calls', 'number'], ['Failed', 'number'], ['Messages', 'number'], ['Source', 'number'],
    ['Produced / source', 'number'], ['Time', 'number'], ['Time a byte', 'number'], ['CPU / time', 'number']],
  functions.map((f) => [el('code', {}, f.function ?? '(not named)'), [f.codec, f.direction].filter(Boolean).join(', '), format.count(f.calls), format.count(f.failures),
    format.count(f.messages), cell(f.source_bytes, most, format.bytes(f.source_bytes)), known(f.produced_bytes / f.source_bytes, format.ratio),
    format.time(f.seconds * 1e9), known(cost(f), perByte), known(f.source_bytes ? cpuShare(f) : NaN, format.percent)])),
  ...functions.slice(0, 12).map(sizesOf).filter(Boolean)];
}
