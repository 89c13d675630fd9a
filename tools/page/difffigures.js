// What it costs and what it gains: the figures of the whole, in words and as bars.
import { bars } from './bars.js';
import { inWords, relation } from './diffdata.js';
import { el, table } from './dom.js';
import * as format from './format.js';

const SAID = {
  codec_bytes: ['Workspaces and outputs', format.bytes],
  codec_allocs: ['Blocks of workspaces and outputs', format.ratio],
  bytes: ['Allocated in all', format.bytes],
  allocs: ['Blocks in all', format.ratio],
  allocator_ns: ['Time in the allocator', format.time],
  codec_ns: ['Time in compressing calls', format.time],
  codec_cpu_ns: ['CPU time in compressing calls', format.time],
  page_faults: ['Page faults in compressing calls', format.ratio],
  source_bytes: ['Bytes to compress', format.bytes],
  produced_bytes: ['Bytes that came out', format.bytes],
  produced_per_source_byte: ['Bytes out for each byte in', format.ratio],
  peak_live_bytes: ['Peak of live bytes, at least', format.bytes],
};
const MEASURED = ['allocator_ns', 'codec_ns', 'codec_cpu_ns', 'page_faults', 'peak_live_bytes'];
const NO_COST = ['source_bytes', 'produced_bytes']; // more of it is neither better nor worse

const told = (diff) => diff.figures.filter((f) => SAID[f.name] && (f.before || f.after));
const per = (diff, f) => (f.per_unit && diff.per !== 'run' ? ` ${diff.unit}` : '');

/** 1: costs more, -1: less, 0: no difference that counts. What is not judged has the tolerance only. */
function direction(diff, f) {
  const judged = f.verdict !== null, larger = Math.max(f.before, f.after);
  if (judged ? f.verdict === 'same' : Math.abs(f.after - f.before) <= diff.tolerance * larger) return 0;
  return f.after > f.before ? 1 : -1;
}

/** Why what differs is no change. */
function excuse(diff, f) {
  const difference = Math.abs(f.after - f.before);
  return difference <= f.error ? 'within chance' : difference <= diff.tolerance * Math.max(f.before, f.after) ? 'too little to count' : 'not so by the other units';
}

/** The page in a sentence. */
export function sentence(diff) {
  const parts = ['codec_bytes', 'bytes', 'allocator_ns', 'codec_cpu_ns', 'produced_per_source_byte']
    .map((name) => told(diff).find((f) => f.name === name)).filter(Boolean)
    .filter((f, _, all) => f.name !== 'bytes' || all[0] === f)
    .map((f) => {
      const [name, show] = SAID[f.name];
      return `${name.toLowerCase().replace('cpu', 'CPU')} ${show(f.before)} → ${show(f.after)} (` +
        `${f.verdict === 'same' ? excuse(diff, f) : inWords(f.before, f.after)})`;
    });
  return `${diff.per === 'run' ? 'The whole run' : `For ${diff.unit}`}: ${parts.join('; ')}.`;
}

function picture(diff, f) {
  const [name, show] = SAID[f.name], way = direction(diff, f);
  const note = MEASURED.includes(f.name) ? ', not judged' : f.verdict === 'same' && f.before !== f.after ? `, ${excuse(diff, f)}` : '';
  return bars(`${name}${per(diff, f)}: ${inWords(f.before, f.after)}${note}`, [
    { label: 'before', value: f.before, text: show(f.before), tone: 'grey' },
    { label: 'after', value: f.after, text: show(f.after), tone: way > 0 ? 'orange' : way < 0 ? '' : 'grey', error: f.error ?? 0 },
  ]);
}

export function balance(diff) {
  const groups = [['It costs more', 1], ['It costs less', -1], ['No difference that counts', 0]];
  const figures = told(diff).filter((f) => !NO_COST.includes(f.name));
  return [...groups.flatMap(([title, way]) => {
    const found = figures.filter((f) => direction(diff, f) === way);
    return found.length ? [el('h3', {}, title), el('div', { class: 'pictures' }, ...found.map((f) => picture(diff, f)))] : [];
  }),
  el('p', { class: 'quiet' }, 'A thin line around the end of a bar is what chance may do to the difference: where it reaches ' +
    'over the bar above, nothing has changed. Time, page faults and the peak are told and not judged: they differ between equal runs, too.')];
}

export function figures(diff) {
  return table('Figures of the whole', [['Figure'], ['Before', 'number'], ['After', 'number'], ['Change', 'number'], ['Chance', 'number'], ['Verdict']],
    told(diff).map((f) => {
      const [name, show] = SAID[f.name];
      return [name + per(diff, f), show(f.before), show(f.after), relation(f.before, f.after),
        f.error === null ? '–' : `± ${show(f.error)}`, f.verdict === null ? 'told, not judged' : f.verdict === 'same' ? excuse(diff, f) : f.verdict];
    }));
}
