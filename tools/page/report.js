// The report: one process at a time.
import { Process } from './data.js';
import { el } from './dom.js';
import { findings } from './findings.js';
import { heat } from './heat.js';
import { codec } from './codec.js';
import { flame } from './flame.js';
import { overview } from './overview.js';
import { fillNavigation, say, showSections } from './page.js';
import { sites } from './sites.js';
import { timeline } from './timeline.js';
import { visible } from './visible.js';

const SECTIONS = [
  ['findings', 'Findings', findings],
  ['flame', 'Where bytes come from', flame, true],
  ['timeline', 'Over time', timeline, true],
  ['sites', 'Sites', sites],
  ['heat', 'Threads and sites', heat, true],
  ['codec', 'Codec calls', codec, true],
  ['visibility', 'What could be seen', visible],
];

let processes, shown;
let openSite; // by id, from the sites section

function show(process) {
  const context = { openSite: (id) => { location.hash = siteHash(id); } };
  shown = process;
  showSections(process, overview(process), SECTIONS, context);
  openSite = context.showSite;
}

// ---- links: #site-N is site N of the process shown, #PID-site-N that of another ----

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

export function startReport(raw) {
  processes = raw.map((p) => new Process(p));
  fillNavigation(SECTIONS);
  if (!processes.length) {
    say('Nothing is recorded here.');
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
