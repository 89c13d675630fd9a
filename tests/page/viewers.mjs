// viewers.mjs REPORT SPEEDSCOPE DHAT DH_VIEW: exports in the pages that they are made for, in a real browser.
// REPORT is what squall report --json says; DH_VIEW the viewer of Valgrind. A line ok or not ok for each.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { check, end, same, yes } from './lib.mjs';

const [report, speedscope, dhat, viewer] = process.argv.slice(2);
const sites = JSON.parse(readFileSync(report, 'utf8')).processes.flatMap((p) => p.sites);
const sum = (name) => sites.reduce((all, site) => all + site[name], 0);
// Speedscope draws with WebGL.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--enable-unsafe-swiftshader'],
});
const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, offline: true });

async function load(page, file, address) {
  await page.goto(`file://${address}`);
  await page.setInputFiles('input[type=file]', file);
}
const shot = async (page, name) => { if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` }); };

await check('dh_view', async () => {
  const page = await context.newPage();
  await load(page, dhat, viewer);
  await page.waitForFunction(() => /Total: /.test(document.body.innerText));
  const [, bytes, blocks] = /Total: +([\d,]+) bytes .*? in ([\d,]+) blocks/s.exec(await page.evaluate(() => document.body.innerText));
  same([bytes, blocks].map((n) => Number(n.replaceAll(',', ''))), [sum('bytes'), sum('allocs')], 'totals');
  await shot(page, 'dh_view');
});
await check('speedscope', async () => {
  const page = await context.newPage(), errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  const index = createRequire(import.meta.url).resolve('speedscope/package.json');
  await load(page, speedscope, join(dirname(index), 'dist/release/index.html'));
  await page.getByText('Sandwich').click();
  await page.waitForFunction(() => document.body.innerText.includes('deflateInit2_'));
  await shot(page, 'speedscope');
  // What it writes again is what it has read.
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Export').click()]);
  const { profiles } = JSON.parse(readFileSync(await download.path(), 'utf8'));
  // Of evented profiles the largest stamp is the total, of sampled ones the sum of weights.
  const totals = profiles.map((p) => (p.type === 'sampled' ? p.weights.reduce((a, b) => a + b, 0) : p.endValue - p.startValue));
  same(totals.reduce((a, b) => a + b, 0), sum('bytes'), 'bytes');
  yes(profiles.every((p) => p.unit === 'bytes'), 'unit');
  same(errors, [], 'errors');
});
await browser.close();
await end();
