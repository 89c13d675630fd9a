// browser.mjs REPORT HOSTILE BOTH LARGE: pages of reports in a real browser, as people use them. A line ok
// or not ok for each.
import { accessible, all, boxes, check, column, data, decent, end, open, picture, same, yes } from './lib.mjs';

const [report, hostile, both, large] = process.argv.slice(2);

const page = await open(report);
await check('findings', async () => {
  yes(await page.locator('.finding').count() > 0, 'no finding');
  yes(await page.locator('.finding .bars .fill').count() > 1, 'no picture');
  const title = await page.locator('.finding h3').first().textContent();
  yes(!/: |KiB/.test(title), `figures in the title: ${title}`);
  yes(/KiB/.test(await page.locator('.finding .figures-of').first().textContent()), 'no figures below it');
});
await check('names', async () => yes((await page.textContent('#sites')).includes('deflateInit2_'), 'no deflateInit2_'));
await check('sort', async () => {
  const numbers = async () => (await column(page, 'allocs')).map((t) => Number(t.replaceAll(',', '')));
  await page.click('th.allocs button');
  const down = await numbers();
  same(down, [...down].sort((a, b) => b - a), 'descending');
  same(await page.getAttribute('th.allocs', 'aria-sort'), 'descending', 'aria-sort');
  await page.click('th.allocs button');
  const up = await numbers();
  same(up, [...up].sort((a, b) => a - b), 'ascending');
  yes(up[0] < down[0], 'the same both ways');
  await page.click('th.bytes button');
});
await check('filter', async () => {
  const before = await data(page);
  await page.fill('#sites input[type=search]', 'deflateInit2_');
  await page.waitForFunction((n) => document.querySelectorAll('table.sites tbody tr').length < n, before);
  yes(await data(page) > 0, 'nothing left');
  const names = await page.$$eval('table.sites .name .function', (all) => all.map((e) => e.textContent));
  yes(names.every((n) => n === 'deflateInit2_'), names.join());
  await page.fill('#sites input[type=search]', '');
  await page.waitForFunction((n) => document.querySelectorAll('table.sites tbody tr').length === n, before);
  await page.check('#sites input[type=checkbox]');
  const flagged = await page.locator('.tag.flagged').count();
  same(await data(page), flagged, 'flagged');
  await page.uncheck('#sites input[type=checkbox]');
});
await check('site', async () => {
  await page.locator('table.sites tbody a').first().click();
  const hash = await page.evaluate(() => location.hash);
  yes(/^#site-\d+$/.test(hash), hash);
  yes(await page.locator(`article${hash} .stack li`).count() > 1, 'no stack');
  await page.keyboard.press('Escape');
  same(await page.locator('article.site').count(), 0, 'open after Escape');
});
await check('deep_link', async () => {
  const id = await page.locator('table.sites tbody a').nth(2).textContent();
  const linked = await open(report, { hash: `#site-${id.slice(1)}` });
  yes(await linked.locator(`article#site-${id.slice(1)}`).isVisible(), 'not open');
  yes((await linked.locator(`article#site-${id.slice(1)}`).boundingBox()).y < 900, 'not on the screen');
  same(linked.complaints, [], 'complaints');
  await linked.context().close();
});
await all(page);
await check('flame_zoom', async () => {
  const whole = await boxes(page);
  await page.locator('.flame .box', { hasText: 'deflateInit2_' }).first().click();
  const zoomed = await page.locator('.flame .box[aria-label^="deflateInit2_"]').first().evaluate((b) => b.offsetWidth / b.parentElement.offsetWidth);
  yes(zoomed > 0.99, `zoomed to ${zoomed}`);
  await page.click('#flame button:text-is("Whole")');
  same(await boxes(page), whole, 'back');
});
await check('flame_search', async () => {
  await page.fill('#flame input[type=search]', 'deflateInit2_');
  yes(await page.locator('.box.lit').count() > 0, 'nothing lit');
  const lit = await page.$$eval('.box.lit', (all) => all.map((b) => b.getAttribute('aria-label')));
  yes(lit.every((l) => l.includes('deflateInit2_')), lit.join());
  yes(/%/.test(await page.textContent('#flame .controls')), 'no share');
  await page.fill('#flame input[type=search]', '');
});
await check('flame_ways', async () => {
  const outer = await boxes(page);
  await page.click('#flame button:text-is("innermost")');
  const inner = await boxes(page);
  yes(inner[1] !== outer[1], `still begins with ${inner[1]}`);
  same(inner[0], outer[0], 'the whole');
  await page.click('#flame button:text-is("outermost")');
  await page.click('#flame button:text-is("By thread")');
  yes((await boxes(page)).some((l) => /^python3 \d+,/.test(l)), 'no thread');
  await page.click('#flame button:text-is("By codec")');
  yes((await boxes(page)).some((l) => /^zlib,/.test(l)), 'no codec');
  await page.click('#flame button:text-is("All")');
  await page.click('#flame button:text-is("Allocations")');
  yes((await boxes(page))[0].includes('blocks'), 'not in blocks');
  await page.click('#flame .choice button:text-is("Bytes")');
  const first = () => page.$eval('.flame .box', (b) => [b.offsetTop, b.parentElement.offsetHeight]);
  same((await first())[0], 0, 'down');
  await page.click('#flame button:text-is("up")');
  yes((await first())[0] > 20, 'not up');
  await page.click('#flame button:text-is("down")');
});
await check('keyboard', async () => {
  await page.locator('.flame .box').first().focus();
  const at = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
  const whole = await at();
  await page.keyboard.press('ArrowDown');
  const inner = await at();
  yes(inner !== whole, 'did not move');
  await page.keyboard.press('Enter');
  same(await at(), inner, 'zoomed');
  yes(await page.locator('.trail button').count() === 1, 'no way back');
  await page.keyboard.press('Escape');
  same(await page.locator('.trail button').count(), 0, 'zoomed after Escape');
  await page.locator('th.bytes button').focus();
  await page.keyboard.press('Enter');
  same(await page.getAttribute('th.bytes', 'aria-sort'), 'ascending', 'sorted by key');
  await page.keyboard.press('Enter');
});
await check('timeline_heat_codec', async () => {
  yes(await page.locator('#timeline canvas').count() === 1, 'no chart');
  yes(await page.locator('#timeline .moments li').count() > 0, 'nothing marked');
  const found = await page.locator('.finding').count();
  same(await page.locator('#timeline .marked li').count(), found, 'findings marked');
  yes(/finding 1 .* at [\d.]+ s/.test(await page.getAttribute('#timeline .chart', 'aria-label')), 'no finding in words');
  const orange = await page.$eval('#timeline canvas', (canvas) => {
    const [r, g, b] = /(\d+), (\d+), (\d+)/.exec(getComputedStyle(document.querySelector('.marked .flag')).backgroundColor).slice(1).map(Number);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height / 4);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) count += data[i] === r && data[i + 1] === g && data[i + 2] === b;
    return count;
  });
  yes(orange > 150, `a flag of ${orange} points`);
  await page.locator('#timeline .marked a').first().click();
  yes((await page.locator('#finding-1').boundingBox()).y < 900, 'the flag leads nowhere');
  yes(await page.locator('.heat tbody tr').count() > 2, 'no threads');
  yes((await page.textContent('#codec')).includes('deflate: messages by size'), 'no sizes');
  yes(!(await page.textContent('#codec')).includes('deflateReset'), 'a function that is called by the codec only');
});
await check('light', async () => { await accessible(page); await picture(page, 'light'); });
await check('toggle', async () => {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.click('#theme');
  yes(await paper() !== light, 'still light');
  await page.click('#theme');
  same(await paper(), light, 'back');
});
await check('print', async () => {
  await page.emulateMedia({ media: 'print' });
  same(await page.locator('header').isVisible(), false, 'the header');
  const unseen = await open(report); // paper asks for what no screen has come near to
  await unseen.evaluate(() => dispatchEvent(new Event('beforeprint')));
  same(await unseen.locator('.waiting').count(), 0, 'sections not made');
  yes(await unseen.locator('#timeline canvas').count() === 1, 'no chart on paper');
  await unseen.context().close();
  yes((await page.pdf({ path: process.env.SHOTS && `${process.env.SHOTS}/print.pdf` })).length > 10000, 'no pages');
  await page.emulateMedia({ media: 'screen' });
});
await check('quiet', async () => same(page.complaints, [], 'complaints'));
for (const [name, options] of [['dark', { dark: true }], ['phone', { width: 390 }], ['phone_dark', { width: 390, dark: true }]]) {
  await check(name, async () => decent(await open(report, options), name, options));
}
await check('hostile', async () => {
  const evil = await open(hostile);
  await all(evil);
  same(await evil.evaluate(() => globalThis.broken), undefined, 'ran');
  same(await evil.evaluate(() => document.querySelectorAll('script:not([type])').length), 1, 'scripts');
  same(await evil.evaluate(() => document.querySelectorAll('img, iframe, script[src]').length), 0, 'elements');
  yes((await evil.textContent('#sites')).includes('</script><script>window.broken=1'), 'the name is not shown as it is');
  await accessible(evil);
  await picture(evil, 'hostile');
  same(evil.complaints, [], 'complaints');
  await evil.context().close();
});
await check('processes', async () => {
  const two = await open(both);
  const pids = await two.$$eval('#process option', (all) => all.map((o) => /pid (\d+)/.exec(o.textContent)[1]));
  same(pids.length, 2, 'processes');
  const title = () => two.textContent('.overview .command');
  const first = await title();
  yes(first.includes('python3'), `not the largest: ${first}`);
  const shown = await two.$eval('#process', (select) => Number(select.value));
  await two.evaluate((pid) => { location.hash = `#${pid}-site-2`; }, pids[1 - shown]);
  await two.waitForSelector('article#site-2');
  yes(await title() !== first, 'the other process is not shown');
  await two.selectOption('#process', String(shown));
  same(await title(), first, 'chosen');
  same(two.complaints, [], 'complaints');
  await two.context().close();
});
await check('finding_link', async () => {
  await page.locator('.finding a').first().click();
  yes(await page.locator('article.site').count() === 1, 'no site');
  yes(await page.locator('article.site').isVisible(), 'not to be seen');
  await accessible(page);
});
if (large) {
  await check('large', async () => {
    let best = Infinity;
    for (let i = 0; i < 3; i++) {
      const big = await open(large);
      best = Math.min(best, await big.evaluate(() => new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))));
      if (i === 2) {
        await big.fill('#sites input[type=search]', 'parse');
        await big.waitForFunction(() => /^(?!100,000 of)/.test(document.querySelector('#sites [role=status]').textContent));
        await all(big);
        yes((await boxes(big)).length < 5000, 'too many boxes');
      }
      same(big.complaints, [], 'complaints');
      await big.context().close();
    }
    console.log(`# ${large}: drawn after ${Math.round(best)} ms`);
  });
}
await end();
