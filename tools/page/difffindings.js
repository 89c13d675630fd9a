// What was found on one side only, what is told otherwise, and what both have.
import { el } from './dom.js';

const TITLES = { new: 'New', gone: 'Gone', changed: 'Changed' };

function kindOf(finding) {
  if (finding.verdict !== 'same') return finding.verdict;
  return finding.confirmed && finding.summary !== finding.summary_before ? 'changed' : 'same';
}

function one(kind, finding) {
  return el('article', { class: `finding ${kind}${finding.confirmed ? '' : ' doubtful'}`, 'aria-label': `${TITLES[kind]}: ${finding.rule}` },
    el('h3', {}, el('span', { class: 'verdict' }, TITLES[kind]), ' ', el('code', {}, finding.rule)),
    finding.confirmed ? null : el('p', { class: 'quiet' }, 'Perhaps by chance: no place that it is about changed.'),
    kind === 'changed' ? el('p', {}, el('strong', {}, 'Before: '), finding.summary_before) : null,
    el('p', {}, kind === 'changed' ? el('strong', {}, 'After: ') : null, finding.summary),
    kind === 'gone' ? null : el('p', { class: 'fix' }, el('strong', {}, 'What to change: '), finding.fix));
}

export function findings(diff) {
  const by = { new: [], gone: [], changed: [], same: [] };
  for (const finding of diff.findings) by[kindOf(finding)].push(finding);
  const told = ['new', 'gone', 'changed'].flatMap((kind) => by[kind].map((finding) => one(kind, finding)));
  const same = by.same.length ? el('details', { class: 'same' }, el('summary', {}, `${by.same.length} in both`),
    el('ul', {}, ...by.same.map((f) => el('li', {}, el('code', {}, f.rule), ' ', f.summary)))) : null;
  return [...(told.length ? told : [el('p', {}, 'No finding came, went or changed.')]), same].filter(Boolean);
}
