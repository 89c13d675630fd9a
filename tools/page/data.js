// The recording, as src/render/html*.c wrote it: numbers that stand for texts, frames and stacks are
// looked up here and nowhere else. A comparison of two (diff.js) has sites and stacks of the same form.

export const VALUES = {
  bytes: 'Bytes', allocs: 'Allocations', live_bytes: 'Live bytes', allocator_ns: 'Allocator time',
};

export function read() {
  const element = document.getElementById('data');
  const data = JSON.parse(element.textContent);
  element.textContent = ''; // the browser need not keep it twice
  return data;
}

/** First value of a half-octave class, see struct region_histogram. */
export const classStart = (c) => (c === 0 ? 0 : ((2 + (c & 1)) * 2 ** Math.floor(c / 2)) / 2);

/** Sites with their stacks. */
export class Sites {
  constructor(raw) {
    Object.assign(this, raw);
    this.column = {};
    raw.site_columns.forEach((name, i) => { this.column[name] = i; });
    this.rows = raw.sites;
    this.readNodes(raw);
  }

  /** Parent and frame of each node; 0 is the root. Parents come before their children. */
  readNodes({ node_count: count, nodes }) {
    this.parent = new Uint32Array(count + 1);
    this.frameOf = new Uint32Array(count + 1);
    let n = 1;
    for (let at = 0; at < nodes.length;) {
      let parent = nodes[at++];
      for (let rest = nodes[at++]; rest; rest--) {
        this.parent[n] = parent;
        this.frameOf[n] = nodes[at++];
        parent = n++;
      }
    }
    this.nodes = null;
  }

  /** Site objects, made when they are wanted: of most only a few figures are. */
  site(index) {
    const row = this.rows[index], site = { index };
    for (const name in this.column) site[name] = row[this.column[name]];
    for (const name of this.constructor.TEXTS) site[name] = this.texts[site[name]];
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
    for (; node > 0; node = this.parent[node]) numbers.push(this.frameOf[node]);
    return numbers;
  }

  stack(node) { return this.frameNumbers(node).map((n) => this.frame(n)); }

  /** What a site is called in one line: the innermost function that is no allocator's. */
  nameOf(index) {
    const last = this.figure(index, 'node'), name = (n) => this.texts[this.frames[(this.frameOf[n] - 1) * 5]];
    for (let n = last; n; n = this.parent[n]) if (!ALLOCATORS.test(name(n))) return name(n);
    return last ? name(last) : '(no stack)';
  }
}

export class Process extends Sites {
  static TEXTS = ['end', 'codec', 'function', 'served_by', 'direction', 'role'];

  /** Rows of threads at a site: thread, allocs, bytes, live_bytes, allocator_ns, five by five. */
  threadsAt(index) {
    const rows = this.figure(index, 'threads');
    return rows.length !== 1 ? rows
      : [rows[0], ...['allocs', 'bytes', 'live_bytes', 'allocator_ns'].map((name) => this.figure(index, name))];
  }

  threadName(index) {
    this.byRow ??= new Map(this.threads.map((thread) => [thread.row, thread]));
    const t = this.byRow.get(index);
    if (index === 0 || !t) return '(several)';
    return `${t.name || 'thread'} ${t.tid}`;
  }

  get title() {
    const name = this.exe.slice(this.exe.lastIndexOf('/') + 1);
    return `${name} (pid ${this.pid})`;
  }
}

const ALLOCATORS = /^(__libc_)?(malloc|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|strdup|operator new.*)$|^(je_|mi_|tc_|__libc_|__GI_)\w*(alloc|memalign)\w*$/;
