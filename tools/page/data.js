// The recording, as src/render/html*.c wrote it: numbers that stand for texts, frames and stacks are
// looked up here and nowhere else.

export const VALUES = {
  bytes: 'Bytes', allocs: 'Allocations', live_bytes: 'Live bytes', allocator_ns: 'Allocator time',
};

const TEXTS = ['end', 'codec', 'function', 'served_by', 'direction', 'role'];

export function read() {
  const element = document.getElementById('data');
  const data = JSON.parse(element.textContent);
  element.textContent = ''; // the browser need not keep it twice
  return { version: data.version, processes: data.processes.map((p) => new Process(p)) };
}

/** First value of a half-octave class, see struct region_histogram. */
export const classStart = (c) => (c === 0 ? 0 : ((2 + (c & 1)) * 2 ** Math.floor(c / 2)) / 2);

export class Process {
  constructor(raw) {
    Object.assign(this, raw);
    this.column = {};
    raw.site_columns.forEach((name, i) => { this.column[name] = i; });
    this.rows = raw.sites;
    this.sites = null;
  }

  /** Site objects, made when they are first wanted: of most only a few figures are. */
  site(index) {
    const row = this.rows[index], site = { index };
    for (const name in this.column) site[name] = row[this.column[name]];
    for (const name of TEXTS) site[name] = this.texts[site[name]];
    return site;
  }

  figure(index, name) { return this.rows[index][this.column[name]]; }

  textOf(index, name) { return this.texts[this.figure(index, name)]; }

  indexOf(id) {
    if (!this.byId) {
      this.byId = new Map();
      this.rows.forEach((row, i) => this.byId.set(row[0], i));
    }
    return this.byId.get(id) ?? -1;
  }

  frame(number) {
    const at = (number - 1) * 5, f = this.frames, t = this.texts;
    return {
      name: t[f[at]], module: t[f[at + 1]], file: t[f[at + 2]], line: f[at + 3],
      inlined: f[at + 4] === 1,
    };
  }

  /** Text numbers of the names of a stack's frames are frames[(n - 1) * 5]. Innermost first. */
  frameNumbers(node) {
    const numbers = [];
    for (; node > 0; node = this.nodes[(node - 1) * 2]) numbers.push(this.nodes[node * 2 - 1]);
    return numbers;
  }

  stack(node) { return this.frameNumbers(node).map((n) => this.frame(n)); }

  /** What a site is called in one line: the innermost function that is no allocator's. */
  nameOf(index) {
    const numbers = this.frameNumbers(this.figure(index, 'node'));
    for (const n of numbers) {
      const name = this.texts[this.frames[(n - 1) * 5]];
      if (!ALLOCATORS.test(name)) return name;
    }
    return numbers.length ? this.frame(numbers[0]).name : '(no stack)';
  }

  threadName(index) {
    const t = this.threads.find((thread) => thread.row === index);
    if (index === 0 || !t) return '(several)';
    return `${t.name || 'thread'} ${t.tid}`;
  }

  get title() {
    const name = this.exe.slice(this.exe.lastIndexOf('/') + 1);
    return `${name} (pid ${this.pid})`;
  }
}

const ALLOCATORS = /^(__libc_)?(malloc|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|strdup|operator new.*)$|^(je_|mi_|tc_|__libc_|__GI_)\w*(alloc|memalign)\w*$/;
