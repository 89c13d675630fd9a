// The comparison: what came and went, what it costs and gains, where.
import { Diff } from './diffdata.js';
import { balance, figures, sentence } from './difffigures.js';
import { findings } from './difffindings.js';
import { flame } from './diffflame.js';
import { sites } from './diffsites.js';
import { el } from './dom.js';
import { fillNavigation, showSections } from './page.js';
import * as format from './format.js';

const SECTIONS = [
  ['findings', 'Findings', findings],
  ['balance', 'What it costs and gains', balance],
  ['flame', 'Where it changed', flame, true],
  ['sites', 'Sites', sites],
  ['figures', 'All figures', figures],
  ['method', 'How to read this', method],
];

/** The arguments of a command, each of which is broken only where it has to be. */
const argumentsOf = (command) => command.split(' ').flatMap((word) => [el('code', {}, word), ' ']);

function side(name, of) {
  const facts = [
    `${of.processes} ${of.processes === 1 ? 'process' : 'processes'}`, format.time(of.seconds * 1e9),
    `${format.bytes(of.bytes)} in ${format.count(of.allocs)} blocks${of.estimated ? ', small ones sampled' : ''}`,
    of.messages ? `${format.count(of.messages)} messages` : 'no message seen',
    of.calls ? `${format.bytes(of.source_bytes)} → ${format.bytes(of.produced_bytes)}` : null,
  ];
  return el('div', { class: 'side' }, el('p', { class: 'title' }, name),
    el('p', { class: 'command', tabindex: 0, role: 'region', 'aria-label': `Command, ${name.toLowerCase()}` }, ...argumentsOf(of.command || '(nothing)')),
    el('p', { class: 'quiet' }, facts.filter(Boolean).join(' · ')));
}

/** As in src/compare: messages that are others are not compared with each other. */
function others({ per, before, after }) {
  const ratio = (after.source_bytes / after.messages) / (before.source_bytes / before.messages);
  if (per !== 'source-byte' || !(ratio > 2 || ratio < 0.5)) return null;
  return `Messages are ${format.ratio(Math.max(ratio, 1 / ratio))} times as large ${ratio > 1 ? 'after' : 'before'}: these are figures of a MiB of source.`;
}

function overview(diff) {
  const seen = [diff.before, diff.after].map((of) => of.messages > 0);
  const blind = diff.per === 'run' && seen[0] !== seen[1]
    ? `Messages are not visible ${seen[0] ? 'after' : 'before'}: these are figures of the whole run.` : others(diff);
  return el('div', { class: 'overview' }, el('div', { class: 'sides' }, side('Before', diff.before), side('After', diff.after)),
    blind && el('p', { class: 'blind' }, blind), el('p', { class: 'sentence' }, sentence(diff)));
}

function method(diff) {
  return [
    `Figures are those of ${diff.per === 'run' ? 'the whole run' : diff.unit.replace(/^a /, 'one ')}, so that a longer run is not a worse one. ` +
      'Stacks are matched by the names of their functions, not by address.',
    `A change is larger than ${format.percent(diff.tolerance)}, and larger than chance makes it: that of the run, and that of sampling. ` +
      'The error is chosen so that of all comparisons of equal runs 95 in 100 name no change at all. Other input, or other settings, are a change and not chance.',
    'Places that have nothing to do with codec calls count as changed only if they did so for a message, by source and for a process.',
    `${format.count(diff.sites_changed)} of ${format.count(diff.sites_compared)} places changed.`,
  ].map((text) => el('p', {}, text));
}

const short = (of) => format.base((of.command ?? '').split(' ')[0] || 'nothing');

export function startDiff(raw) {
  const diff = new Diff(raw), context = { openSite: (id) => { location.hash = `#site-${id}`; } };
  fillNavigation(SECTIONS);
  document.title = `squall diff: ${short(diff.before)} → ${short(diff.after)}`;
  showSections(diff, overview(diff), SECTIONS, context);
  const follow = () => {
    const link = /^#site-(\d+)$/.exec(location.hash);
    if (link) context.showSite(Number(link[1]));
  };
  addEventListener('hashchange', follow);
  follow();
}
