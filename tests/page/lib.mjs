// What tests of a page share: a browser, and words for what is to be seen. SHOTS=DIR leaves pictures.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'],
});
export let failed = 0;

export async function check(name, test) {
  try {
    await test();
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok ${name}: ${String(error.message).split('\n').slice(0, 3).join(' ')}`);
  }
}

export function same(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`);
}
export const yes = (truth, what) => { if (!truth) throw new Error(what); };

/** A page; what it complains of, and what it asks the network for, is kept. */
export async function open(file, { width = 1280, dark = false, hash = '' } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: 900 }, colorScheme: dark ? 'dark' : 'light',
    bypassCSP: false, offline: true,
  });
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (m) => { if (m.type() === 'error') page.complaints.push(m.text()); });
  page.on('pageerror', (e) => page.complaints.push(e.message));
  page.on('request', (r) => { if (!/^(file|data):/.test(r.url())) page.complaints.push(r.url()); });
  await page.goto(`file://${file}${hash}`);
  await page.waitForSelector('html[data-ready]');
  return page;
}

/** Everything that waits for the screen to come near. */
export async function all(page) {
  for (const body of await page.locator('.body').all()) {
    await body.scrollIntoViewIfNeeded();
    await body.evaluate((e) => new Promise((done) => {
      const look = () => (e.classList.contains('waiting') ? requestAnimationFrame(look) : done());
      look();
    }));
  }
  await page.evaluate(() => scrollTo(0, 0));
}

export async function picture(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
}

export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  same(violations.map((v) => `${v.id}: ${v.nodes[0].target} ${v.nodes[0].failureSummary}`), [], 'violations');
}

export const data = (page) => page.evaluate(() => document.querySelectorAll('table.sites tbody tr').length);
export const column = (page, name) => page.$$eval(`table.sites td.${name}`, (cells) => cells.map((c) => c.firstChild.textContent));
export const boxes = (page) => page.$$eval('.flame .box', (all) => all.map((b) => b.getAttribute('aria-label')));

/** As wide as its screen, in its colours, for all to use, without a complaint. */
export async function decent(page, name, { dark = false } = {}) {
  await all(page);
  same(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth <= 0), true, 'as wide as the screen');
  same(await page.$$eval('caption', (all) => all.filter((c) => c.offsetWidth > innerWidth).map((c) => c.textContent)), [], 'captions wider than the screen');
  same(await page.evaluate(() => document.documentElement.dataset.theme), dark ? 'dark' : 'light', 'theme');
  await accessible(page);
  await picture(page, name);
  same(page.complaints, [], 'complaints');
  await page.context().close();
}

export async function end() {
  await browser.close();
  process.exit(failed ? 1 : 0);
}
