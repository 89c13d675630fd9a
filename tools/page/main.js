// The page: reads the recording, then makes a section at a time. What is far down, and costs, is made
// when it comes near the screen.
import { read } from './data.js';
import { el, section } from './dom.js';
import { findings } from './findings.js';
import { heat } from './heat.js';
import { codec } from './codec.js';
import { flame } from './flame.js';
import { overview } from './overview.js';
import { sites } from './sites.js';
import { startTheme } from './theme.js';
import { timeline } from './timeline.js';
import { visible } from './visible.js';

const SECTIONS = [
  ['findings', 'Findings', findings],
  ['flame', 'Where bytes come from', flame],
  ['timeline', 'Over time', timeline],
  ['sites', 'Sites', sites],
  ['heat', 'Threads and sites', heat],
  ['codec', 'Codec calls', codec],
  ['visibility', 'What could be seen', visible],
];
const LAZY = new Set(['flame', 'timeline', 'heat', 'codec']);

const main = document.getElementById('main');
let shown; // the process
let openSite; // by id, from the sites section

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

function show(process) {
  shown = process;
  const context = { openSite: (id) => { location.hash = siteHash(id); } };
  main.replaceChildren(overview(process));
  for (const [id, title, make] of SECTIONS) {
    const body = el('div', { class: 'body' });
    main.append(section(id, title, body));
    let made = false;
    const fill = () => {
      if (made || shown !== process) return;
      made = true;
      const parts = make(process, context);
      body.replaceChildren(...[parts].flat());
      body.dispatchEvent(new Event('placed'));
    };
    if (LAZY.has(id)) {
      body.classList.add('waiting');
      nearScreen(body, () => { body.classList.remove('waiting'); fill(); });
    } else {
      fill();
    }
  }
  openSite = context.showSite;
}

// ---- links: #site-N is site N of the process shown, #PID-site-N that of another ----

let processes;

function siteHash(id) {
  return processes.length > 1 ? `#${shown.pid}-site-${id}` : `#site-${id}`;
}

function follow() {
  const link = /^#(?:(\d+)-)?site-(\d+)$/.exec(location.hash);
  if (!link) return;
  const wanted = link[1] && processes.find((p) => p.pid === Number(link[1]));
  if (wanted && wanted !== shown) {
    document.getElementById('process').value = String(processes.indexOf(wanted));
    show(wanted);
  }
  openSite(Number(link[2]));
}

function start() {
  startTheme();
  ({ processes } = read());
  document.querySelector('nav').append(...SECTIONS.map(([id, title]) =>
    el('a', { href: `#${id}` }, title)));
  if (!processes.length) {
    main.replaceChildren(el('p', {}, 'Nothing is recorded here.'));
    return;
  }
  const bySize = [...processes].sort((a, b) => b.totals.bytes - a.totals.bytes);
  const select = document.getElementById('process');
  select.append(...processes.map((p, i) => el('option', { value: i }, p.title)));
  select.value = String(processes.indexOf(bySize[0]));
  select.addEventListener('change', () => show(processes[Number(select.value)]));
  document.getElementById('which').hidden = processes.length < 2;
  document.title = `squall: ${bySize[0].title}`;
  show(bySize[0]);
  addEventListener('hashchange', follow);
  follow();
}

try {
  start();
} catch (error) {
  main.replaceChildren(el('p', { role: 'alert' }, `This page cannot be shown: ${error.message}`));
  throw error;
}
document.documentElement.dataset.ready = 'yes';
