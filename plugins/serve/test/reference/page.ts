// The chat page in a real browser (playwright-core, Chromium; not part of the suite): what a person
// does with it, and pictures to look at.
// node --conditions=lmflow-source --import tsx plugins/serve/test/reference/page.ts
// FOLDER_WITH_node_modules/playwright-core [pictures] CHROMIUM names another browser than
// /usr/bin/chromium.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { withServer } from '../fake.ts';

const [modules = '.', pictures = 'pictures'] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const { chromium } = createRequire(join(resolve(modules), 'x.js'))('playwright-core') as {
  chromium: { launch(options: object): Promise<Browser> };
};

// What is used of playwright-core, which is no dependency.
interface Locator {
  click(): Promise<void>;
  fill(text: string): Promise<void>;
  press(key: string): Promise<void>;
  selectOption(value: string): Promise<void>;
  textContent(): Promise<string>;
  allTextContents(): Promise<string[]>;
  count(): Promise<number>;
  isVisible(): Promise<boolean>;
  isEnabled(): Promise<boolean>;
  inputValue(): Promise<string>;
}
interface Page {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  locator(selector: string): Locator;
  getByRole(role: string, options?: object): Locator;
  getByLabel(text: string, options?: object): Locator;
  evaluate<T>(script: string): Promise<T>;
  screenshot(options: object): Promise<unknown>;
  emulateMedia(options: object): Promise<void>;
  setViewportSize(size: object): Promise<void>;
  keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
  on(event: string, listener: (value: { text(): string; message: string }) => void): void;
}
interface Browser {
  newPage(options?: object): Promise<Page>;
  close(): Promise<void>;
}

const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const focused = `document.activeElement.id`;
const step = (text: string): void => {
  process.stdout.write(`ok ${text}\n`);
};

/**
 * WCAG contrast of each visible text with what lies behind it; those below 4.5 (3 for large text).
 */
const CONTRAST = `(() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const light = ({ r, g, b }) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => { for (let at = node; at; at = at.parentElement) { const color = parse(getComputedStyle(at).backgroundColor); if (color.a > 0.99) return color; } return { r: 255, g: 255, b: 255 }; };
  const bad = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== '');
    const box = node.getBoundingClientRect();
    if (!own || box.width === 0 || box.right < 0 || ['SCRIPT', 'STYLE', 'OPTION', 'NOSCRIPT'].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(parse(style.color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5) && !node.closest(':disabled')) bad.push(node.tagName + ' ' + node.textContent.slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return bad;
})()`;
/** Controls without a name. */
const NAMELESS = `[...document.querySelectorAll('button, input, select, textarea')].filter((node) => !(node.labels?.length || node.getAttribute('aria-label') || node.textContent.trim())).map((node) => node.id)`;
/** Edges of controls that are hard to see (WCAG 1.4.11: 3). */
const EDGES = CONTRAST.replace(
  /const own = .*;/,
  "const own = ['INPUT', 'SELECT', 'TEXTAREA', 'BUTTON'].includes(node.tagName);",
)
  .replace('parse(style.color)', 'parse(style.borderTopColor)')
  .replace('behind(node)', 'behind(node.parentElement)')
  .replace('(large ? 3 : 4.5)', '3');
const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

await withServer({}, async ({ url, generator }) => {
  const page = await browser.newPage({ viewport: { width: 1000, height: 720 } });
  const trouble: string[] = [];
  page.on('console', (message) => {
    if (/error|refused|violat/i.test(message.text())) trouble.push(message.text());
  });
  page.on('pageerror', (error) => {
    trouble.push(error.message);
  });
  // the page's policy forbids what waitForFunction does
  const until = async (condition: string): Promise<void> => {
    for (let tries = 0; !(await page.evaluate<boolean>(condition)); tries++) {
      if (tries > 500) throw new Error(`it never came: ${condition}`);
      await sleep(20);
    }
  };
  const picture = (name: string): Promise<unknown> =>
    page.screenshot({ path: join(pictures, `${name}.png`) });
  const idle = (): Promise<unknown> => until(`!document.getElementById('send').hidden`);
  const log = page.locator('#log li');

  await page.goto(url);
  await until(`document.getElementById('model').options.length === 2`);
  assert.is(await page.evaluate(focused), 'prompt', 'the message has the focus');
  await picture('empty');
  generator.answer = (prompt) =>
    `You said: ${prompt.split('user:').at(-1)!}\nIt is <b>plain</b> text & nothing else, with a line that goes on for a while so that it has to be broken somewhere in the middle of the page.`;
  generator.step = 4;
  await page.keyboard.type('Hello there');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second line');
  await page.keyboard.press('Enter');
  await until(`document.querySelectorAll('#log li .text')[1]?.textContent.length > 20`);
  assert.ok(await page.locator('#stop').isVisible(), 'there is a stop button while it answers');
  assert.is(await page.locator('#send').isVisible(), false);
  await picture('streaming');
  await idle();
  assert.match(
    (await log.allTextContents())[1]!,
    /You said: Hello there\nsecond line\nIt is <b>plain<\/b> text &/,
  );
  assert.match(
    await page
      .locator('#log li .note')
      .allTextContents()
      .then((all) => all[1]!),
    /\d+ tokens, [\d.]+ tokens\/s/,
  );
  assert.is(await page.locator('#status').textContent(), 'Answer complete.');
  assert.is(await page.evaluate(focused), 'prompt');
  step('a message by keyboard streams, and the text is text');

  generator.step = 15;
  await page.keyboard.type('stop me');
  await page.keyboard.press('Enter');
  await until(`document.querySelectorAll('#log li .text')[3]?.textContent.length > 5`);
  await page.locator('#stop').click();
  await idle();
  assert.match((await log.allTextContents())[3]!, /stopped/);
  for (let tries = 0; tries < 100 && generator.running > 0; tries++) await sleep(20);
  assert.is(generator.running, 0, 'the server stopped too');
  await page.keyboard.type('and again');
  await page.keyboard.press('Enter');
  await until(`document.querySelectorAll('#log li .text')[5]?.textContent.length > 5`);
  await page.keyboard.press('Escape');
  await idle();
  assert.is(generator.aborted, 2);
  step('the stop button and Escape stop page and server');

  generator.step = 1;
  await page.locator('#settings').click();
  await page.getByLabel('System message').fill('Be kind.');
  await page.getByLabel('Temperature', { exact: false }).fill('0.3');
  await page.getByLabel('Longest answer', { exact: false }).fill('7');
  await page.getByLabel('Seed').fill('5');
  await picture('settings');
  assert.equal(await page.evaluate(CONTRAST), [], 'contrast of the settings');
  await page.keyboard.press('Escape');
  assert.is(await page.evaluate('document.getElementById("dialog").open'), false);
  await page.locator('#prompt').fill('short');
  await page.keyboard.press('Enter');
  await sleep(50);
  await page.locator('#prompt').press('Enter');
  await idle();
  const seen = generator.seen.at(-1)!;
  assert.match(seen.prompt, /^system:Be kind\.\|user:Hello/);
  assert.equal(
    [seen.options.temperature, seen.options.maxNewTokens, seen.options.seed],
    [0.3, 7, 5],
  );
  assert.match((await log.allTextContents()).at(-1)!, /cut at the token limit/);
  await page.reload();
  await until(`document.getElementById('model').options.length === 2`);
  await page.locator('#settings').click();
  assert.is(
    await page.getByLabel('System message').inputValue(),
    'Be kind.',
    'settings stay in the tab',
  );
  await page.locator('#dialog button.primary').click();
  step('settings arrive at the generator and stay');

  await page.getByLabel('Model').selectOption('plain');
  await page.locator('#prompt').fill('x');
  await page.locator('#prompt').press('Enter');
  await idle();
  assert.match((await log.allTextContents()).at(-1)!, /no chat template/);
  assert.is(
    await page.locator('#prompt').inputValue(),
    'x',
    'what could not be answered can be sent again',
  );
  await picture('failed');
  await page.reload();
  await until(`document.getElementById('model').value === 'plain'`);
  await page.getByLabel('Model').selectOption('fake');
  await page.locator('#prompt').fill('x');
  await page.locator('#prompt').press('Enter');
  await idle();
  assert.match((await log.allTextContents()).at(-1)!, /fake/);
  step('another model is chosen; an error is shown where the answer would be');

  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    assert.equal(await page.evaluate(CONTRAST), [], `contrast, ${scheme}`);
    assert.equal(await page.evaluate(EDGES), [], `edges, ${scheme}`);
    await picture(scheme);
  }
  // a mouse only: the buttons change places, and the focus is never lost
  generator.step = 10;
  await page.locator('#prompt').fill('by mouse');
  await page.locator('#send').click();
  assert.is(await page.evaluate(focused), 'stop');
  await idle();
  assert.is(await page.evaluate(focused), 'prompt');
  assert.match(await page.locator('#spoken').textContent(), /^You sai/, 'read out at the end');
  assert.equal(await page.evaluate(NAMELESS), []);
  for (const width of [320, 375]) {
    await page.setViewportSize({ width, height: 640 });
    assert.is(await page.evaluate(OVERFLOW), 0, `nothing sticks out at ${width} pixels`);
    await picture(`narrow-${width}`);
  }
  await page.locator('#settings').click();
  await picture('narrow-settings');
  assert.is(await page.evaluate(OVERFLOW), 0);
  await page.keyboard.press('Escape');
  step(
    'light and dark have contrast, every control a name, and nothing sticks out on a narrow screen',
  );

  await page.locator('#clear').click();
  assert.is(await log.count(), 0);
  assert.equal(trouble, [], 'no errors in the console');
  step('a new chat is empty');
});
await browser.close();
