// What squall could see of the process, and what it could not.
import { el } from './dom.js';

export function visible(process) {
  return [el('dl', { class: 'visible' }, ...process.visibility.flatMap(({ subject, statement }) =>
    [el('dt', {}, subject), el('dd', {}, statement)]))];
}
