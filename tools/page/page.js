// Sections one below the other. What is far down, and costs, is made when it comes near the screen.
import { el, section } from './dom.js';

const main = document.getElementById('main');
let shown;

function nearScreen(element, make) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    make();
  }, { rootMargin: '300px' });
  watch.observe(element);
  // Paper has no screen to come near to.
  addEventListener('beforeprint', () => { watch.disconnect(); make(); }, { once: true });
}

/** sections: [id, title, (subject, context) => elements, is lazy]. */
export function showSections(subject, head, sections, context) {
  shown = subject;
  main.replaceChildren(head);
  for (const [id, title, make, lazy] of sections) {
    const body = el('div', { class: 'body' });
    main.append(section(id, title, body));
    let made = false;
    const fill = () => {
      if (made || shown !== subject) return;
      made = true;
      body.replaceChildren(...[make(subject, context)].flat());
    };
    if (lazy) {
      body.classList.add('waiting');
      nearScreen(body, () => { body.classList.remove('waiting'); fill(); });
    } else {
      fill();
    }
  }
}

export function fillNavigation(sections) {
  document.querySelector('nav').append(...sections.map(([id, title]) => el('a', { href: `#${id}` }, title)));
}

export function say(...words) {
  main.replaceChildren(el('p', {}, ...words));
}

export function complain(error) {
  main.replaceChildren(el('p', { role: 'alert' }, `This page cannot be shown: ${error.message}`));
}
