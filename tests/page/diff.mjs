// diff.mjs DIFF SAME HOSTILE: pages of comparisons in a real browser, as people use them: a run of zlib and
// one of zstd, two equal runs, names that want to break out. A line ok or not ok for each.
import { all, boxes, check, column, data, decent, end, open, picture, same, yes } from './lib.mjs';

const [diff, equal, hostile] = process.argv.slice(2);
const page = await open(diff);
await check('diff_findings', async () => {
  yes(await page.locator('.finding.new').count() > 0, 'nothing new');
  yes(await page.locator('.finding.gone').count() > 0, 'nothing gone');
  yes((await page.locator('.finding.new').first().textContent()).includes('What to change'), 'no way out');
  const order = await page.$$eval('main section', (all) => all.map((s) => s.id));
  same(order[0], 'findings', 'first');
});
await check('diff_words', async () => {
  const said = await page.textContent('.sentence');
  yes(/For a message: workspaces and outputs .* times as much/.test(said), said);
  yes(/CPU time .* less/.test(said) && /bytes out for each byte in .* less/.test(said), said);
  yes(await page.locator('#balance .whisker').count() > 0, 'no error bar');
});
await check('diff_filter', async () => {
  const changed = await data(page);
  same(await page.locator('.sites tr.same').count(), 0, 'unchanged ones');
  await page.selectOption('#sites select >> nth=0', '');
  const whole = await data(page);
  yes(whole > changed, `${whole} of all, ${changed} changed`);
  await page.selectOption('#sites select >> nth=0', 'same');
  same(await page.locator('.sites tbody tr:not(.same)').count(), 0, 'changed ones');
  // What is called noise looks like it: the line of chance reaches over what was before, or the two are close.
  const clear = await page.$$eval('.sites .pair', (all) => all.filter((svg) => {
    const [, low, high] = /M([\d.]+) 15.5H([\d.]+)/.exec(svg.querySelector('.chance').getAttribute('d')).map(Number);
    const before = svg.querySelector('.before').width.baseVal.value + 1, after = svg.querySelector('.after').width.baseVal.value + 1;
    return (before < low - 1 || before > high + 1) && Math.abs(before - after) > 0.05 * Math.max(before, after) + 1;
  }).length);
  yes(clear < await data(page) / 2, `${clear} pictures of noise look like a change`);
  await page.selectOption('#sites select >> nth=0', 'changed');
  await page.selectOption('#sites select >> nth=1', 'zstd');
  yes((await page.$$eval('.sites tbody tr', (all) => all.map((r) => r.textContent))).every((t) => t.includes('zstd')), 'of another codec');
  await page.selectOption('#sites select >> nth=1', '');
  await page.fill('#sites input[type=search]', 'deflateInit2_');
  await page.waitForFunction((n) => document.querySelectorAll('table.sites tbody tr').length < n, changed);
  yes((await page.$$eval('.sites .function', (all) => all.map((e) => e.textContent))).every((t) => t === 'deflateInit2_'), 'of another function');
  await page.fill('#sites input[type=search]', '');
  await page.waitForFunction((n) => document.querySelectorAll('table.sites tbody tr').length === n, changed);
});
await check('diff_sort', async () => {
  const first = await column(page, 'difference');
  same(await page.getAttribute('th.difference', 'aria-sort'), 'descending', 'aria-sort');
  await page.click('th.difference button');
  same(await column(page, 'difference'), [...first].reverse(), 'ascending');
  await page.locator('th.difference button').focus();
  await page.keyboard.press('Enter');
  same(await column(page, 'difference'), first, 'by key');
});
await check('diff_site', async () => {
  await page.locator('table.sites tbody a').first().click();
  const hash = await page.evaluate(() => location.hash);
  yes(/^#site-\d+$/.test(hash), hash);
  yes(await page.locator(`article${hash} .stack li`).count() > 1, 'no stack');
  yes(/chance alone/.test(await page.textContent(`article${hash}`)), 'no word on chance');
  await page.keyboard.press('Escape');
  same(await page.locator('article.site').count(), 0, 'open after Escape');
  const linked = await open(diff, { hash: '#site-2' });
  yes(await linked.locator('article#site-2').isVisible(), 'not open');
  await linked.context().close();
});
await all(page);
await check('diff_flame', async () => {
  const whole = await boxes(page);
  yes(/^Bytes a message: [+−]/.test(whole[0]), whole[0]);
  const of = (name) => page.locator('.flame .box', { hasText: name }).first();
  yes(/gained/.test(await of('ZSTD_compressStream2').getAttribute('class')), 'zstd is no more');
  yes(/lost/.test(await of('deflateInit2_').getAttribute('class')), 'zlib is no less');
  await of('ZSTD_compressStream2').click();
  yes(await page.locator('.trail button').count() > 0, 'not zoomed');
  await page.keyboard.press('Escape');
  await page.click('#flame button:text-is("Whole")');
  await page.click('#flame button:text-is("Before")');
  same(await page.locator('.flame .box', { hasText: 'ZSTD_compressStream2' }).count(), 0, 'zstd before');
  await page.click('#flame button:text-is("After")');
  same(await page.locator('.flame .box', { hasText: 'deflateInit2_' }).count(), 0, 'zlib after');
  await page.click('#flame button:text-is("Change alone")');
  same(await page.locator('.flame .box.unchanged').count(), 0, 'what did not change');
  await page.click('#flame button:text-is("innermost")');
  yes(/new/.test((await boxes(page))[1]), (await boxes(page))[1]);
  await page.click('#flame button:text-is("By codec")');
  yes((await boxes(page)).some((l) => /^zlib: gone/.test(l)), 'no codec');
  await page.fill('#flame input[type=search]', 'deflateInit2_');
  yes(await page.locator('.box.lit').count() > 0, 'nothing lit');
});
await check('diff_print', async () => {
  await page.emulateMedia({ media: 'print' });
  same(await page.locator('header').isVisible(), false, 'the header');
  yes((await page.pdf({ path: process.env.SHOTS && `${process.env.SHOTS}/diff-print.pdf` })).length > 10000, 'no pages');
  await page.emulateMedia({ media: 'screen' });
});
await check('diff_quiet', async () => same(page.complaints, [], 'complaints'));
for (const [name, options] of [['light', {}], ['dark', { dark: true, hash: '#site-1' }], ['phone', { width: 390, hash: '#site-1' }], ['small_phone', { width: 320, hash: '#site-1' }], ['phone_dark', { width: 390, dark: true }]])
  await check(`diff_${name}`, async () => decent(await open(diff, options), `diff_${name}`, options));
await check('diff_commands', async () => {
  const phone = await open(diff, { width: 390 });
  const cut = await phone.$$eval('.side .command', (all) => all.filter((c) => c.scrollHeight > c.clientHeight).length);
  same(cut, 0, 'commands whose end has to be scrolled to');
  const last = await phone.$$eval('.side .command', (all) => all.map((c) => c.lastElementChild.textContent));
  same(last, ['zlib', 'zstd'], 'the last arguments');
  await phone.context().close();
});
await check('diff_equal', async () => {
  const two = await open(equal);
  await all(two);
  same(await two.locator('.finding').count(), 0, 'findings');
  same(await two.locator('.sites tbody tr:not(.same)').count(), 0, 'changed sites');
  yes(await data(two) > 0, 'no site');
  same(await two.locator('.flame .box:not(.unchanged)').count(), 0, 'coloured boxes');
  const costs = await two.$$eval('#balance figcaption', (all) => all.map((c) => c.textContent));
  same(costs.filter((t) => !/not judged|the same|within chance|too little|not so/.test(t)), [], 'judged');
  await decent(two, 'diff_equal');
});
await check('diff_hostile', async () => {
  const evil = await open(hostile);
  await all(evil);
  same(await evil.evaluate(() => globalThis.broken), undefined, 'ran');
  same(await evil.evaluate(() => document.querySelectorAll('script:not([type])').length), 1, 'scripts');
  same(await evil.evaluate(() => document.querySelectorAll('img, iframe, script[src]').length), 0, 'elements');
  yes((await evil.textContent('.sides')).includes('</script><script>window.broken=2'), 'the command is not shown as it is');
  yes((await evil.textContent('#sites')).includes('</script><script>window.broken=1'), 'the name is not shown as it is');
  await picture(evil, 'diff_hostile');
  same(evil.complaints, [], 'complaints');
  await evil.context().close();
});
await end();
