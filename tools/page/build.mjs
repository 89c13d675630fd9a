// build.mjs WORK OUT: puts page.html, style and modules into one file. Style and program are named in
// the page's security policy by their hashes, so that the browser runs nothing else.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const work = resolve(process.argv[2]);
const esbuild = createRequire(join(work, 'package.json'))('esbuild');
const options = {
  bundle: true,
  minify: true,
  write: false,
  charset: 'ascii',
  legalComments: 'inline',
  target: ['chrome100', 'firefox100', 'safari15.4'],
  nodePaths: [join(work, 'node_modules')],
  absWorkingDir: here,
  logLevel: 'warning',
};

async function bundle(entry, more) {
  const made = await esbuild.build({ ...options, ...more, entryPoints: [join(here, entry)] });
  return made.outputFiles[0].text.trim();
}

const program = await bundle('main.js', { format: 'iife' });
const style = await bundle('style.css', {});
if (/<\/(script|style)/i.test(program + style)) throw new Error('would end its own element');
const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy = `default-src 'none'; script-src ${hash(program)}; style-src ${hash(style)}; ` +
  "img-src data:; base-uri 'none'; form-action 'none'";
const license = readFileSync(join(work, 'node_modules/uplot/LICENSE'), 'utf8').split('\n')
  .filter((line) => /Copyright/.test(line)).join(' ').trim();
const parts = { POLICY: policy, STYLE: style, PROGRAM: program, LICENSE: `uPlot: MIT, ${license}` };
const page = readFileSync(join(here, 'page.html'), 'utf8')
  .replace(/@@(POLICY|STYLE|PROGRAM|LICENSE)@@/g, (_, name) => parts[name]);
writeFileSync(process.argv[3], page);
