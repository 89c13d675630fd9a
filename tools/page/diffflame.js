// The differential flame graph: how wide a box is says how much; its colour, and the figure behind its
// name, how much of that changed by more than chance.
import { relation } from './diffdata.js';
import { Flame } from './flame.js';
import * as format from './format.js';

const VALUES = { larger: 'Larger of both', before: 'Before', after: 'After', change: 'Change alone' };
const COLOURS = { gained: 'much more', more: 'more', unchanged: 'no change beyond chance', less: 'less', lost: 'much less' };

function changeOf(piece) {
  const before = piece.sum('before'), after = before + piece.sum('difference');
  return { before, after: Math.max(after, 0), larger: Math.max(before, after) };
}

const look = (diff) => ({
  values: VALUES, kinds: { all: 'All', codec: 'By codec' }, colours: COLOURS,
  show: (_, amount) => format.bytes(amount),
  title: () => diff.per === 'run' ? 'Bytes of the whole run' : `Bytes ${diff.unit}`,
  colourOf(piece) {
    const { before, after, larger } = changeOf(piece), part = larger > 0 ? (after - before) / larger : 0;
    if (Math.abs(part) < 0.01) return 'unchanged';
    return part > 0.5 ? 'gained' : part > 0 ? 'more' : part < -0.5 ? 'lost' : 'less';
  },
  beside(piece) {
    const { before, after, larger } = changeOf(piece);
    return larger > 0 && Math.abs(after - before) >= 0.01 * larger ? relation(before, after) : '';
  },
});

export const flame = (diff) => new Flame(diff, look(diff)).elements();
