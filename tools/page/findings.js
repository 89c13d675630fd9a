// Findings: what is wrong, in words, with the figures that say so drawn small.
import { bars, rangeOf, sparkline } from './bars.js';
import { BINARY, axis, chart, fromZero, line } from './chart.js';
import { css, el, table } from './dom.js';
import { byFunction } from './codec.js';
import * as format from './format.js';

/** The first words of a summary say what is wrong; the figures after the colon, and after the first
 * semicolon, are read only then. */
function headline(number, summary) {
  const at = summary.search(/[:;] /);
  return [el('h3', {}, `${number}. `, at < 0 ? summary : summary.slice(0, at)), at < 0 ? null : el('p', { class: 'figures-of' }, summary.slice(at + 2))];
}

/** Evidence for people: by what its name says it is. */
export function figure(name, value) {
  if (typeof value !== 'number') return String(value);
  if (/share/.test(name)) return format.percent(value);
  if (/per_second|throughput/.test(name)) return `${format.bytes(value)}/s`;
  if (/bytes_per_source_byte|ratio|per_context/.test(name)) return format.ratio(value);
  if (/bytes|largest|size$/.test(name) && name !== 'pool_size') return format.bytes(value);
  if (/seconds/.test(name)) return format.time(value * 1e9);
  return Number.isInteger(value) ? format.count(value) : format.ratio(value);
}

function amounts(process, evidence) {
  const rows = [];
  const add = (label, value, tone) => { if (value) rows.push({ label, value, tone, text: format.bytes(value) }); };
  if (evidence.bytes) add('allocated by all', process.totals.bytes, 'grey');
  add('by this', evidence.bytes, 'orange');
  add('workspaces', evidence.workspace_bytes, 'blue');
  add('outputs', evidence.output_bytes, 'blue');
  add('source compressed', evidence.source_bytes, 'green');
  add('produced', evidence.produced_bytes, 'green');
  return rows.length > 1 ? bars('Bytes', rows) : null;
}

function spared(finding) {
  const best = finding.remedies.filter((r) => r.saves && r.saves.bytes).sort((a, b) => b.saves.bytes - a.saves.bytes)[0];
  const { bytes } = finding.evidence;
  if (!best || !bytes) return null;
  const left = Math.max(bytes - best.saves.bytes, 0);
  return bars(`What “${best.remedy.replaceAll('_', ' ')}” would leave`, [
    { label: 'as it ran', value: bytes, text: format.bytes(bytes), tone: 'orange' },
    { label: 'would be', value: left, text: format.bytes(left), tone: 'green' }]);
}

function shrinking(process, finding) {
  const { below_bytes: below, messages_of_function: messages } = finding.evidence;
  if (!below) return null;
  // The rule tells of one function, which it names.
  const of = byFunction(process).find((f) => f.messages === messages && f.function && finding.summary.includes(f.function));
  const found = of ? [...of.sizes.values()].sort((a, b) => a.from - b.from) : [];
  return of ? bars(`${of.function}: produced for each byte of source, by size of message`, found.filter((s) => s.source_bytes).map((s) => ({
    label: `from ${format.bytes(s.from)}`, value: s.produced_bytes / s.source_bytes,
    text: format.ratio(s.produced_bytes / s.source_bytes), tone: s.from < below ? 'orange' : 'green' }))) : null;
}

function throughput(process, finding) {
  const { knee } = finding.evidence, levels = process.concurrency.filter((l) => l.bytes_per_second);
  if (!knee || levels.length < 3 || !finding.evidence.level_max) return null;
  const mark = (plot) => {
    const x = plot.valToPos(knee, 'x', true);
    plot.ctx.strokeStyle = css('--text');
    plot.ctx.beginPath();
    plot.ctx.moveTo(x, plot.bbox.top);
    plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
    plot.ctx.stroke();
  };
  const options = { legend: { show: false }, scales: { x: { time: false }, y: { range: fromZero } }, axes: [axis((v) => `${v} at once`, { size: 36 }), axis((v) => `${format.bytes(v)}/s`, { size: 84, incrs: BINARY })],
    series: [{}, line('Throughput', '--blue', 'y', format.bytes)], hooks: { draw: [mark] } };
  return el('figure', {}, el('figcaption', {}, `Throughput by calls at once; the line is at ${format.ratio(knee)}`),
    chart(options, [levels.map((l) => l.level), levels.map((l) => l.bytes_per_second)], `Throughput by calls at once, best from ${knee} on`, 150));
}

function sizes(process, finding) {
  const index = finding.site === null ? -1 : process.indexOf(finding.site);
  const classes = index < 0 ? [] : process.figure(index, 'size_classes');
  if (classes.length < 2) return null;
  const [least, most] = process.figure(index, 'size_spread').map(format.bytes);
  const words = least === most ? `all ${most}` : `${least} to ${most}`;
  return el('figure', {}, el('figcaption', {}, `Sizes of blocks at site #${finding.site}: ${words}`),
    sparkline(classes, rangeOf([classes]), `sizes: ${words}`, 200, 44));
}

function one(process, context, finding, number) {
  const link = finding.site === null ? null : el('a', { href: `#site-${finding.site}`, onclick: (event) => {
    event.preventDefault();
    context.openSite(finding.site);
    context.showSite(finding.site);
  } }, `site #${finding.site}`);
  const pictures = [amounts(process, finding.evidence), spared(finding), shrinking(process, finding), throughput(process, finding), sizes(process, finding)];
  return el('article', { class: 'finding', id: `finding-${number}`, 'aria-label': `Finding ${number}` },
    ...headline(number, finding.summary),
    el('p', { class: 'quiet' }, el('code', {}, finding.rule), link && ' at ', link),
    el('div', { class: 'pictures' }, ...pictures.filter(Boolean)),
    el('p', { class: 'fix' }, el('strong', {}, 'What to change: '), finding.fix),
    finding.remedies.length ? el('ul', {}, ...finding.remedies.map((r) => el('li', {}, r.text))) : null,
    finding.caution ? el('p', { class: 'caution' }, el('strong', {}, 'But: '), finding.caution) : null,
    el('details', {}, el('summary', {}, 'All evidence'),
      table('Evidence', [['Name'], ['Figure', 'number']], Object.entries(finding.evidence).map(([name, value]) => [name.replaceAll('_', ' '), figure(name, value)]))));
}

export function findings(process, context) {
  if (!process.findings.length)
    return el('p', {}, 'Nothing that squall knows to be wrong was found. What could not be seen is at the end of this page.');
  return process.findings.map((finding, i) => one(process, context, finding, i + 1));
}
