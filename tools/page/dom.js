// Elements. Names of the watched process come in as text, never as markup: nothing in this page
// parses HTML.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  fill(element, attributes, children);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
}

export function section(id, title, ...children) {
  return el('section', { id, 'aria-labelledby': `${id}-title` },
    el('h2', { id: `${id}-title` }, title), ...children);
}

/** A row of buttons of which one is chosen: [[value, text], ...]. */
export function choice(label, options, chosen, change) {
  const buttons = options.map(([value, text]) => el('button', {
    type: 'button',
    'aria-pressed': String(value === chosen),
    onclick: () => {
      buttons.forEach((b, i) => b.setAttribute('aria-pressed', String(options[i][0] === value)));
      change(value);
    },
  }, text));
  return el('div', { class: 'choice', role: 'group', 'aria-label': label },
    el('span', { class: 'label' }, label), ...buttons);
}

/** Tables of words and figures; columns: [title, class]. */
export function table(caption, columns, rows) {
  return el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    el('table', {}, el('caption', {}, caption),
      el('thead', {}, el('tr', {}, ...columns.map(([title, kind]) =>
        el('th', { scope: 'col', class: kind }, title)))),
      el('tbody', {}, ...rows.map((cells) => el('tr', {}, ...cells.map((cell, i) =>
        el('td', { class: columns[i][1] }, cell)))))));
}

/** What a browser shows while a name is too long for its place, and what it is cut to. */
export function short(text, most = 60) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export const css = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
