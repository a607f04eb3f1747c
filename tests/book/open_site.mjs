// Opens the pages of a site in Chromium, with the network cut, and prints the faults found as JSON:
// node open_site.mjs SITE MODULES CHROMIUM. MODULES is a folder with playwright-core and axe-core.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [site, modules, executablePath] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { chromium } = require("playwright-core");
const AT_ONCE = 2;
// of others: names of the theme's buttons and folds, and the list of references
const THEIRS = ["label-content-name-mismatch", "summary-name", "aria-required-children"];
const HEAVY = 2e6; // bytes of a page before it is touched
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 900 };
const LITERAL = /\$[^$\s][^$\n]*\$|\\\(|\{(glue|doc|numref|cite|paper|math|eq|ref)[:a-z]*\}`/;

const isPage = (path) => path.endsWith(".html") && !/http-equiv="Refresh"/.test(readFileSync(path));
const html = (folder) =>
  readdirSync(join(site, folder)).filter((name) => isPage(join(site, folder, name)));
const below = (folder) => html(folder).map((name) => `${folder}/${name}`);
const pages = [...html("."), ...below("notebooks"), ...below("reference")];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 0 });
const faults = [];

/** Find what a reader would see of formulas and roles that were not rendered. */
function literals(pattern) {
  const copy = document.querySelector("article")?.cloneNode(true);
  if (!copy) return [];
  for (const code of copy.querySelectorAll("pre, code, script, style, .katex")) code.remove();
  const found = copy.textContent.match(new RegExp(pattern));
  return found ? [found[0]] : [];
}

/** Wait until a frame is drawn and no colour is in transition. */
async function settled() {
  await new Promise(requestAnimationFrame);
  await Promise.all(document.getAnimations().map((one) => one.finished));
}

async function axeFaults(page) {
  const run = () => globalThis.axe.run({ preload: false, resultTypes: ["violations"] });
  const { violations } = await page.evaluate(run);
  return violations
    .filter(({ id, impact }) => ["serious", "critical"].includes(impact) && !THEIRS.includes(id))
    .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
}

async function check(name) {
  const context = await browser.newContext({ viewport: PHONE, colorScheme: "light", offline: true });
  const page = await context.newPage();
  page.setDefaultTimeout(0);
  const say = (fault) => faults.push(`${name}: ${fault}`);
  page.on("console", (message) => message.type() === "error" && say(message.text()));
  page.on("pageerror", (error) => say(error.message));
  page.on("requestfailed", (request) => say(`asks for ${request.url()}`));
  let weight = 0;
  page.on("request", (request) => {
    const { href } = new URL(request.url().split(/[?#]/)[0]);
    if (href.startsWith("file:")) weight += statSync(new URL(href), { throwIfNoEntry: false })?.size ?? 0;
  });
  await page.goto(`file://${join(site, name)}`, { waitUntil: "load" });
  if (weight > HEAVY) say(`weighs ${weight} bytes`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) say(`is ${wide} pixels wider than a phone`);
  for (const text of await page.evaluate(literals, LITERAL.source)) say(`shows ${text}`);
  await page.setViewportSize(DESKTOP);
  const start = page.locator(".start").first();
  if (await start.count()) {
    await start.click();
    await page.waitForSelector(".said:not(:empty)");
  }
  await page.evaluate(axe);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(settled);
    for (const fault of await axeFaults(page)) say(`${colorScheme}: ${fault}`);
  }
  await context.close();
}

const waiting = [...pages];
const work = async () => {
  while (waiting.length) await check(waiting.shift());
};
await Promise.all(Array.from({ length: AT_ONCE }, work));
await browser.close();
console.log(JSON.stringify({ pages, faults }));
