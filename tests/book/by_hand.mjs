// Uses the bench of a page by the keyboard alone, then by touch, and prints what came of it as JSON:
// node by_hand.mjs SITE MODULES CHROMIUM. MODULES is a folder with playwright-core.
import { createRequire } from "node:module";
import { join } from "node:path";

const [site, modules, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
const SMALLEST = 44; // pixels
const TABS = 200; // to get anywhere on the front page
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 0 });
const said = (page) => page.locator(".said").textContent();

async function front(options) {
  const page = await (await browser.newContext({ offline: true, ...options })).newPage();
  page.setDefaultTimeout(0);
  await page.goto(`file://${join(site, "intro.html")}`);
  return page;
}

/** Press the tabulator until the focus, which a shadow root may hold, is on what is looked for. */
async function tabTo(page, selector) {
  const there = (wanted) => {
    const { activeElement } = document;
    return (activeElement?.shadowRoot?.activeElement ?? activeElement)?.matches(wanted);
  };
  for (let n = 0; n < TABS; n++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(there, selector)) return;
  }
  throw new Error(`no tabulator leads to ${selector}`);
}

/** Press a key until a text is as expected. */
async function pressUntil(page, key, selector, expected) {
  const text = page.locator(selector);
  for (let n = 0; n < TABS; n++) {
    await page.keyboard.press(key);
    if (expected.test(await text.textContent())) return;
  }
  throw new Error(`${key} never leads to ${expected}`);
}

const settled = (page, pattern) =>
  page.waitForFunction(
    (source) =>
      new RegExp(source).test(
        document.querySelector(".tinyvgg-bench").shadowRoot.querySelector(".said")?.textContent,
      ),
    pattern,
  );

const keys = await front({ viewport: { width: 1280, height: 900 } });
await tabTo(keys, ".start");
await keys.keyboard.press("Enter");
await settled(keys, "^All cells on");
await tabTo(keys, ".wall");
await pressUntil(keys, "ArrowRight", ".cell", /worth/);
await keys.keyboard.press("Space");
await settled(keys, "^1 cell off");
await keys.keyboard.press("Space");
await settled(keys, "^All cells on");
await tabTo(keys, "[aria-label='class to backtrack from']");
const asked = await keys.locator(".traced").textContent();
await pressUntil(keys, "ArrowDown", ".traced", new RegExp(`^(?!${asked})`));
await tabTo(keys, ".guess button");
await keys.keyboard.press("Enter");
await keys.keyboard.press("Enter"); // on the fewest found, where the focus is then
await settled(keys, "Right!");

const hand = await front({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
await hand.locator(".start").first().tap();
await settled(hand, "^All cells on");
const on = hand.locator(".zoom button:enabled");
for (let y = 20; !(await on.count()); y += 40) await hand.locator(".wall").tap({ position: { x: 20, y } });
await hand.locator(".bench summary").tap();
const small = await hand.evaluate((least) => {
  const { shadowRoot } = document.querySelector(".tinyvgg-bench");
  return Array.from(shadowRoot.querySelectorAll("button, select, summary"))
    .map((each) => [each.textContent || each.ariaLabel, each.getBoundingClientRect()])
    .filter(([, { width, height }]) => height && Math.min(width, height) < least)
    .map(([words, { width, height }]) => `${words}: ${width} by ${height}`);
}, SMALLEST);
await on.first().tap();
await settled(hand, "^1 cell off");
const touched = await said(hand);

await keys.goto(`file://${join(site, "notebooks", "04_backtracking.html")}`);
const folded = () => keys.locator(".cell details.hide:not([open])").count();
const code = [await folded()];
await tabTo(keys, ".all-code");
await keys.keyboard.press("Enter");
code.push(await folded());
await keys.keyboard.press("Enter");
code.push(await folded());
await browser.close();
console.log(JSON.stringify({ keys: "right", touched, small, code }));
