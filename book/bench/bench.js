/**
 * The repair bench: an error of a network, the cells of its last maps, and what it answers when a
 * reader switches some of them off.
 *
 * What it asks is answered by a backend, which is a function ask(name, question) that returns a
 * promise: a worker that runs the network itself, or the kernel of a notebook.
 */

import {
  FIELDS,
  GUESSES,
  ORDERS,
  choose,
  counted,
  draw,
  filters,
  format,
  judged,
  overlap,
  parse,
  sentence,
  shown,
  winner,
} from "./logic.js";
import { STYLE, core } from "./packed.js"; // made when the modules are put into one script

const ORANGE = [230, 159, 0];
const WRONG = [213, 94, 0];
const RIGHT = [0, 114, 178];
const RULES = {
  literal: "Algorithm 1",
  cutoff: "the published code's cutoff",
  contribution: "contribution to the class",
};
const MARK = "#c98a1b";
const GAP = 3; // pixels between maps
const [COLUMNS, NARROW] = [8, 340]; // maps side by side in the wall, half of them if it is narrow

/** Return an element with properties, attributes behind a dash or "aria", and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Return the bar of a class: its name, and its probability before (thin) and now. */
export function bar(name, kind, wins, was, is) {
  const line = (type, share) => make("i", { className: type, style: `width:${100 * share}%` });
  return make(
    "div",
    { className: `bar ${kind} ${wins ? "winner" : ""}` },
    make("span", {}, name),
    make("span", { className: "number" }, `${Math.round(100 * is)}\u00a0%`),
    make("div", { className: "track" }, line("was", was), line(`is ${kind}`, is)),
  );
}

/** Put a bench into an element; `about` has the task, its classes and the errors.
 * @param {HTMLElement | ShadowRoot} host @param {any} about
 * @param {(name: string, asked?: any) => Promise<any>} ask @param {any} options a first state; a
 *     function `moved` that is called with each new one */
export function mount(host, about, ask, { state = {}, moved = () => {} } = {}) {
  const { cases } = about;
  const named = (name) => (about.task === "subject" ? `subject ${name}` : name);
  const classes = about.classes.map(named);
  const bench = {
    one: null, // the error
    scene: null, // what the backend opened
    off: new Set(),
    cursor: -1, // the cell under the keyboard or the pointer
    marked: [], // cells that are backtracked
    active: [], // cells that are not zero
    map: 0, // the one that is shown large
    score: [0, 0], // random draws that were right, and all
    drawn: 0, // cells of a random draw
    guesses: new Map(), // by row
    wanted: {},
    order: "fewest",
  };

  // ---------------------------------------------------------------------------------- the page
  const task = make("p", { className: "task" });
  const pick = make("select", { ariaLabel: "error" });
  const step = (by) => pickAt(pick.selectedIndex + by);
  const button = (words, onclick, ariaLabel = null) =>
    make("button", { type: "button", onclick, ariaLabel }, words);
  const before = button("‹", () => step(-1), "previous error");
  const after = button("›", () => step(1), "next error");
  const face = make("canvas", { role: "img", className: "face" });
  const twin = make("canvas", { role: "img", className: "twin" });
  const twinWords = make("figcaption");
  const faceWords = make("figcaption");
  const wall = make("canvas", { tabIndex: 0, role: "application", className: "wall" });
  wall.setAttribute("aria-roledescription", "cells of the last maps");
  const zoom = make("div", { className: "zoom", hidden: true });
  const bars = make("div", { className: "bars" });
  const said = make("p", { className: "said", ariaLive: "polite" });
  const cell = make("p", { className: "cell", ariaLive: "polite" });
  const legend = make("p", { className: "legend" });
  const from = make("select", { ariaLabel: "class to backtrack from" });
  const rule = make("select", { ariaLabel: "rule of backtracking" });
  const traced = make("p", { className: "traced", ariaLive: "polite" });
  const guess = make("div", { className: "guess", role: "group", ariaLabel: "your guess" });
  const revealed = make("p", { ariaLive: "polite" });
  const scored = make("p", { ariaLive: "polite" });
  const sets = {
    found: button("", () => suppress(bench.scene.sets.cutoff.found)),
    common: button("", () => suppress(bench.scene.sets.cutoff.common)),
    unique: button("", () => suppress(bench.scene.sets.cutoff.unique)),
    random: button("", drawCells),
    fewest: button("the fewest found", () => suppress(bench.one.fewest)),
    none: button("all on again", () => suppress([])),
  };
  for (const [k, name] of classes.entries()) from.append(make("option", { value: k }, name));
  for (const [value, words] of Object.entries(RULES)) rule.append(make("option", { value }, words));

  const narrowed = make("div", { className: "filters" });
  const label = (words, control) => make("label", {}, words, control);
  for (const [field, values] of filters(cases, classes)) {
    const select = make("select", {}, make("option", { value: "" }, "all"));
    for (const value of values) select.append(make("option", { value }, value));
    select.onchange = () => {
      bench.wanted[field] = select.value;
      list();
    };
    narrowed.append(label(FIELDS[field], select));
  }
  const order = make("select");
  for (const [name, words] of Object.entries(ORDERS))
    order.append(make("option", { value: name, selected: name === bench.order }, words));
  order.onchange = () => {
    bench.order = order.value;
    list();
  };
  narrowed.append(label("in order of", order));

  const figure = (...parts) => make("figure", {}, ...parts);
  const legendOfFew = make("legend", {}, "How few cells are enough?");
  const few = make("fieldset", {}, legendOfFew, revealed, guess, sets.fewest);
  host.replaceChildren(
    make("style", {}, STYLE),
    make(
      "section",
      { className: "bench", ariaLabel: "repair bench" },
      task,
      make("div", { className: "pick" }, before, pick, after),
      make("details", {}, make("summary", {}, "Other errors"), narrowed),
      make(
        "div",
        { className: "stage" },
        make("div", { className: "answer" }, said, bars),
        make("div", { className: "faces" }, figure(face, faceWords), figure(twin, twinWords)),
        make("div", { className: "maps" }, wall, legend, cell, zoom),
      ),
      make(
        "fieldset",
        {},
        make("legend", {}, "Backtrack"),
        label("from ", from),
        label("by ", rule),
        traced,
      ),
      make(
        "fieldset",
        {},
        make("legend", {}, "Switch off what the published code finds"),
        make("div", { className: "sets" }, sets.found, sets.common, sets.unique, sets.random),
        scored,
      ),
      few,
      make("div", { className: "sets" }, sets.none),
    ),
  );

  // --------------------------------------------------------------------------------- the errors
  const nameOf = (one, n, all) => {
    const angle = one.angle && `${one.angle}°`;
    const where = [one.name, one.subject && `subject ${one.subject}`, angle];
    const about = where.filter(Boolean).join(", ");
    const truth = one.true === null ? "" : `${classes[one.true]} `;
    const words = `${n + 1} of ${all}: ${truth}taken for ${classes[one.given]}`;
    return about ? `${words} (${about})` : words;
  };

  /** List the errors asked for, and open the first one where the present one is not among them. */
  function list() {
    const chosen = choose(cases, classes, bench.wanted, bench.order);
    const option = (one, n) => make("option", { value: one.row }, nameOf(one, n, chosen.length));
    pick.replaceChildren(...chosen.map(option));
    const there = chosen.indexOf(bench.one);
    if (there < 0) pickAt(0);
    else pick.selectedIndex = there;
    limit();
  }

  function pickAt(place) {
    pick.selectedIndex = Math.min(Math.max(place, 0), pick.options.length - 1);
    limit();
    if (pick.options.length) open(cases.find((one) => one.row === Number(pick.value)));
  }

  function limit() {
    before.disabled = pick.selectedIndex <= 0;
    after.disabled = pick.selectedIndex === pick.options.length - 1;
  }
  pick.onchange = () => pickAt(pick.selectedIndex);

  async function open(one, off = [], target = one.given) {
    bench.one = one;
    const scene = await ask("open", one);
    if (bench.one !== one) return; // another one was asked for meanwhile
    const wanted = off.filter((at) => scene.maps[at]);
    Object.assign(bench, { scene, score: [0, 0], drawn: scene.sets.cutoff.unique.length });
    Object.assign(bench, { off: new Set(wanted), cursor: -1 });
    bench.active = Array.from(scene.maps).flatMap((value, at) => (value ? [at] : []));
    const { found, common, unique } = scene.sets.cutoff;
    from.value = String(target in classes ? target : one.given);
    const [known, kind] = [one.true !== null, classes[one.true]];
    const image = about.task === "emotion" ? `this ${kind} face` : `this image of ${kind}`;
    task.replaceChildren(
      `The network takes ${known ? image : "this image"} for `,
      make("strong", {}, classes[one.given]),
      `. Switch off cells of its last maps until ${known ? "it is right" : "the answer changes"}. `,
      `The published code's cutoff finds ${found.length}; `,
      make("strong", {}, "how many do you need?"),
    );
    sets.found.textContent = `all ${counted(found.length, "cell")}`;
    sets.common.textContent = `${common.length} in the look-alike, too`;
    sets.unique.textContent = `${unique.length} in the error alone`;
    for (const name of ["common", "unique"]) sets[name].hidden = one.lookalike === null;
    faceWords.textContent = known ? `truly ${kind}` : "";
    few.hidden = !known;
    const swatch = (style, words) => make("span", {}, make("i", { style }), words);
    legend.replaceChildren(
      swatch(`background:rgb(${WRONG})`, `speaks for ${classes[one.given]}`),
      swatch(`background:rgb(${RIGHT})`, known ? `for ${kind}` : "against it"),
      swatch(`background:none;border:2px solid ${MARK}`, "backtracked"),
      swatch("background:var(--text)", "off"),
    );
    twinWords.textContent = `look-alike, right as ${kind}`;
    twin.parentElement.hidden = one.lookalike === null;
    if (scene.lookalike) paint(twin, scene.lookalike, "its look-alike, classified right");
    scored.textContent = "";
    zoom.hidden = true;
    askGuess();
    sayRandom();
    await trace();
    if (scene === bench.scene && bench.one === one) await suppress(wanted);
  }

  // ------------------------------------------------------------------------------ what is found
  async function trace() {
    const { one, scene } = bench;
    const asked = { row: one.row, rule: rule.value };
    const target = Number(from.value);
    const base = await ask("backtrack", { ...asked, target: one.given });
    const found = await ask("backtrack", { ...asked, target });
    if (scene !== bench.scene) return;
    bench.marked = found;
    const same = overlap(base, bench.marked);
    const count = counted(bench.marked.length, "cell");
    const active = `of ${bench.active.length} that are active`;
    const others = `${Math.round(100 * same)}\u00a0% of the cells of either class are in both sets`;
    const equal = `exactly the same ones as for ${classes[one.given]}. The class makes no difference`;
    if (target === one.given) traced.textContent = `${count} ${active}. Now ask about another class.`;
    else traced.textContent = same === 1 ? `${count}: ${equal}.` : `${count}; ${others}.`;
    drawWall();
    keep();
  }
  from.onchange = rule.onchange = trace;

  function askGuess() {
    const known = bench.guesses.get(bench.one.row);
    sets.fewest.disabled = !known || !bench.one.fewest.length;
    revealed.textContent = known ? judged(known, bench.one.fewest.length) : "Guess first:";
    guess.hidden = Boolean(known);
    const take = (each) => {
      bench.guesses.set(bench.one.row, each);
      askGuess();
      sets.fewest.focus(); // the button that was pressed is gone
    };
    guess.replaceChildren(...GUESSES.map((each) => button(each[0], () => take(each))));
  }

  // ---------------------------------------------------------------------------- what is switched
  async function suppress(cells) {
    const off = (bench.off = new Set(cells));
    const { one, scene } = bench;
    if (cells.length && cells !== bench.one.fewest) bench.drawn = cells.length;
    sayRandom();
    const probabilities = await answerTo(cells);
    if (scene !== bench.scene || off !== bench.off) return undefined; // others are off meanwhile
    said.textContent = sentence({ case: one, classes, probabilities, count: cells.length });
    said.classList.toggle("right", winner(probabilities) === one.true);
    drawBars(probabilities);
    drawWall();
    drawZoom();
    keep();
    if (bench.cursor < 0) leave();
    return probabilities;
  }

  const answerTo = async (cells) =>
    cells.length ? ask("off", { row: bench.one.row, cells }) : bench.scene.probabilities;

  function toggle(at) {
    if (!bench.scene.maps[at]) return;
    if (!bench.off.delete(at)) bench.off.add(at);
    suppress([...bench.off].sort((a, b) => a - b));
  }

  function sayRandom() {
    sets.random.textContent = `${bench.drawn} at random`;
    sets.random.disabled = !bench.drawn;
  }

  async function drawCells() {
    const probabilities = await suppress(draw(bench.active, bench.drawn));
    if (!probabilities) return;
    const { true: label, given } = bench.one;
    const best = winner(probabilities);
    bench.score[0] += Number(label === null ? best !== given : best === label);
    bench.score[1] += 1;
    const [right, all] = bench.score;
    const what = label === null ? "another answer" : "right";
    scored.textContent = `At random: ${what} in ${right} of ${counted(all, "draw")}.`;
  }

  function keep() {
    const off = [...bench.off].sort((a, b) => a - b);
    moved({ task: about.task, row: bench.one.row, off, from: Number(from.value), rule: rule.value });
  }

  // ------------------------------------------------------------------------------- the pictures
  function paint(canvas, pixels, words, glow = null) {
    const side = Math.sqrt(pixels.length / 3);
    canvas.width = canvas.height = side;
    canvas.setAttribute("aria-label", words);
    const context = canvas.getContext("2d");
    const image = context.createImageData(side, side);
    const top = glow ? Math.max(...glow) || 1 : 1;
    for (let n = 0; n < side * side; n++) {
      const share = glow ? Math.min(1, (1.4 * glow[n]) / top) : 0;
      for (let c = 0; c < 3; c++) {
        const dimmed = glow ? 0.75 * pixels[3 * n + c] : pixels[3 * n + c];
        image.data[4 * n + c] = (1 - share) * dimmed + share * ORANGE[c];
      }
      image.data[4 * n + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  function drawBars(probabilities) {
    const { one, scene } = bench;
    const labels = shown(one, [scene.probabilities, probabilities]);
    const best = winner(probabilities);
    bars.replaceChildren(
      ...labels.map((k) => {
        const kind = k === one.true ? "true" : k === one.given ? "given" : "";
        const mark = { true: " (true)", given: " (taken for)" }[kind] ?? "";
        const [was, is] = [scene.probabilities[k], probabilities[k]];
        return bar(classes[k] + mark, kind, k === best, was, is);
      }),
    );
  }

  /** Return the wall's measures in its own pixels: columns, cell, map, and where a cell lies. */
  function measures() {
    const [channels, rows, across] = bench.scene.shape;
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(wall.parentElement.clientWidth, 200) * scale;
    const columns = Math.min(width / scale < NARROW ? COLUMNS / 2 : COLUMNS, channels);
    const gap = Math.round(GAP * scale);
    const size = Math.max(2, Math.floor((width - gap * (columns - 1)) / columns / across));
    const at = (place) => {
      const map = Math.floor(place / (rows * across));
      const inside = place % (rows * across);
      const [row, column] = [Math.floor(inside / across), inside % across];
      const x = (map % columns) * (across * size + gap) + column * size;
      return [x, Math.floor(map / columns) * (rows * size + gap) + row * size];
    };
    const lines = Math.ceil(channels / columns);
    const high = lines * (rows * size + gap) - gap;
    const wide = columns * (across * size + gap) - gap;
    return { channels, rows, across, columns, size, gap, at, scale, wide, high };
  }

  /** Return whether text is light here, on a dark page. */
  function isDark() {
    const [red, green, blue] = getComputedStyle(wall).color.match(/[\d.]+/g).map(Number);
    return red + green + blue > 380;
  }

  /** Return the tint of a cell by its share in given minus true: orange for, blue against. */
  function tint(at, top) {
    const share = bench.scene.shares[at] / top;
    const [to, strength] = [share > 0 ? WRONG : RIGHT, Math.min(1, Math.abs(share) ** 0.6)];
    const faint = isDark() ? 80 : 235;
    return `rgb(${to.map((value) => Math.round(faint + (value - faint) * strength)).join(" ")})`;
  }

  function drawWall() {
    const { scene, off, marked, cursor } = bench;
    const { size, at, wide, high, scale, channels, rows, across } = measures();
    if (wall.width !== wide || wall.height !== high) [wall.width, wall.height] = [wide, high];
    wall.style.width = `${wide / scale}px`;
    const context = wall.getContext("2d");
    const ink = getComputedStyle(wall).color;
    context.clearRect(0, 0, wide, high);
    context.globalAlpha = 0.07;
    context.fillStyle = ink;
    const top = Math.max(...scene.shares.map(Math.abs)) || 1;
    for (let map = 0; map < channels; map++) {
      const [x, y] = at(map * rows * across);
      context.fillRect(x, y, across * size, rows * size);
    }
    context.globalAlpha = 1;
    for (const place of bench.active) {
      const [x, y] = at(place);
      context.fillStyle = tint(place, top);
      if (!off.has(place)) context.fillRect(x, y, size, size);
    }
    context.strokeStyle = MARK;
    context.lineWidth = scale;
    for (const place of marked) {
      const [x, y] = at(place);
      context.strokeRect(x + scale / 2, y + scale / 2, size - scale, size - scale);
    }
    context.fillStyle = ink;
    for (const place of off) context.fillRect(...at(place), size, size);
    if (wall.matches(":focus-visible")) {
      const [x, y] = at(cursor);
      context.strokeStyle = ink;
      context.lineWidth = 2 * scale;
      context.strokeRect(x - scale, y - scale, size + 2 * scale, size + 2 * scale);
    }
    wall.setAttribute(
      "aria-label",
      `${channels} maps of ${rows} by ${across} cells; arrow keys move, space switches a cell off`,
    );
  }

  // -------------------------------------------------------------------------- pointer and keys
  /** Return the cell under a pointer, or null. */
  function cellAt(event) {
    if (!bench.scene) return null;
    const { size, gap, columns, channels, rows, across, scale } = measures();
    const box = wall.getBoundingClientRect();
    const x = ((event.clientX - box.left) * wall.width) / box.width;
    const y = ((event.clientY - box.top) * wall.height) / box.height;
    const [wide, high] = [across * size + gap, rows * size + gap];
    const map = Math.floor(y / high) * columns + Math.floor(x / wide);
    const [row, column] = [Math.floor((y % high) / size), Math.floor((x % wide) / size)];
    const outside = x < 0 || y < 0 || x / wide >= columns || map >= channels;
    return outside || row >= rows || column >= across || !scale
      ? null
      : (map * rows + row) * across + column;
  }

  const picture = (name, asked) => ask(name, asked).catch(() => null);

  /** Show a cell: what it is, and its own picture on the face. */
  async function look(at) {
    const { scene, one, off } = bench;
    bench.cursor = at;
    const [, rows, across] = scene.shape;
    const inside = at % (rows * across);
    const [row, column] = [Math.floor(inside / across), inside % across];
    const where = `Map ${Math.floor(at / (rows * across)) + 1}, row ${row + 1}, column ${column + 1}`;
    const share = scene.shares[at];
    const other = classes[one.true] ?? `others than ${classes[one.given]}`;
    const side = share > 0 ? classes[one.given] : other;
    cell.textContent = scene.maps[at]
      ? `${where}: ${off.has(at) ? "off; it was worth" : "worth"} ${Math.abs(share).toFixed(2)} to ${side}.`
      : `${where}: not active.`;
    drawWall();
    const glow = scene.maps[at] ? await picture("glow", { row: one.row, cells: [at] }) : null;
    if (scene === bench.scene && bench.cursor === at)
      paint(face, scene.image, "the image, with what the cell shows in orange", glow);
  }

  /** Show no cell but what is off: its tracked features on the face. */
  async function leave() {
    bench.cursor = -1;
    cell.textContent = HINT;
    const { scene, one, off } = bench;
    const cells = [...off];
    const seen = cells.length ? await picture("features", { row: one.row, cells }) : null;
    if (scene !== bench.scene || off !== bench.off || bench.cursor >= 0) return;
    const words = seen ? ", with the tracked features of the cells that are off in orange" : "";
    paint(face, scene.image, `the image that is classified wrongly${words}`, seen);
  }

  let brushed = null; // the cells that one stroke has passed
  wall.onpointerdown = (event) => {
    const at = cellAt(event);
    if (at === null) return;
    if (event.pointerType === "touch") {
      bench.map = Math.floor(at / (bench.scene.shape[1] * bench.scene.shape[2]));
      drawZoom(true);
    } else {
      brushed = new Set([at]);
      toggle(at);
    }
  };
  wall.onpointermove = (event) => {
    const at = cellAt(event);
    if (at === null || event.pointerType === "touch" || at === bench.cursor) return;
    look(at);
    if (!brushed || brushed.has(at)) return;
    brushed.add(at);
    toggle(at);
  };
  wall.onpointerup = () => (brushed = null);
  wall.onpointerleave = () => {
    brushed = null;
    if (bench.scene && !wall.matches(":focus-visible")) leave();
  };
  wall.onblur = () => {
    if (!bench.scene) return;
    leave();
    drawWall();
  };
  wall.onfocus = () => bench.scene && look(Math.max(bench.cursor, 0));
  wall.onkeydown = (event) => {
    if (!bench.scene) return;
    const { columns, rows, across, channels } = measures();
    const at = Math.max(bench.cursor, 0);
    if (event.key === " " || event.key === "Enter") {
      toggle(at);
      event.preventDefault();
      return;
    }
    const [map, inside] = [Math.floor(at / (rows * across)), at % (rows * across)];
    let y = Math.floor(map / columns) * rows + Math.floor(inside / across);
    let x = (map % columns) * across + (inside % across);
    if (!STEPS[event.key]) return;
    const [dx, dy] = STEPS[event.key];
    event.preventDefault();
    [x, y] = [x + dx, y + dy];
    const next = Math.floor(y / rows) * columns + Math.floor(x / across);
    if (x < 0 || y < 0 || x >= columns * across || next >= channels) return;
    look((next * rows + (y % rows)) * across + (x % across));
  };

  /** Show one map with cells that a finger can hit. */
  function drawZoom(show = !zoom.hidden) {
    zoom.hidden = !show;
    if (!show) return;
    const [, rows, across] = bench.scene.shape;
    const top = Math.max(...bench.scene.shares.map(Math.abs)) || 1;
    const marked = new Set(bench.marked);
    const cells = Array.from({ length: rows * across }, (_, inside) => {
      const at = bench.map * rows * across + inside;
      const on = bench.scene.maps[at] !== 0;
      const kinds = [marked.has(at) && "marked", bench.off.has(at) && "off"].filter(Boolean);
      return make("button", {
        type: "button",
        className: kinds.join(" "),
        disabled: !on,
        ariaPressed: String(bench.off.has(at)),
        ariaLabel: `row ${Math.floor(inside / across) + 1}, column ${(inside % across) + 1}`,
        style: on ? `background-color:${tint(at, top)}` : "",
        onclick: () => {
          toggle(at);
          look(at);
        },
      });
    });
    const grid = make("div", { className: "cells", style: `--across:${across}` }, ...cells);
    zoom.replaceChildren(make("p", {}, `Map ${bench.map + 1}`), grid);
  }

  // in the next frame, since what is drawn changes what is observed
  const redraw = () => requestAnimationFrame(() => bench.scene && drawWall());
  new ResizeObserver(redraw).observe(wall.parentElement);
  if (RULES[state.rule]) rule.value = state.rule;
  cell.textContent = HINT;
  bench.one = cases.find((one) => one.row === state.row) ?? null;
  list();
  if (bench.one?.row === state.row) open(bench.one, state.off, state.from);
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HINT =
  "Point at a cell to see what it shows in the image. Click it, or brush over some, to switch them off.";

// ------------------------------------------------------------------------------------- the site

/** Return a backend that asks a worker in which the network runs. */
export async function worker(network, errors) {
  const source = URL.createObjectURL(new Blob([`(${core})()`], { type: "text/javascript" }));
  const other = new Worker(source);
  const waiting = new Map();
  let last = 0;
  other.onmessage = ({ data: { id, answer, error } }) => {
    const [resolve, reject] = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  };
  other.onerror = ({ message }) => {
    for (const [, reject] of waiting.values()) reject(new Error(message));
  };
  const ask = (name, asked) =>
    new Promise((...both) => {
      waiting.set(++last, both);
      other.postMessage({ id: last, name, asked });
    });
  await ask("start", { network, errors });
  return ask;
}

/** Load the scripts of a task from beside this one, and take what they register. */
export async function fetchTask(base, task) {
  const tables = ["network", "errors"].filter((table) => !globalThis.tinyvgg?.[table]?.[task]);
  await Promise.all(
    tables.map(
      (table) =>
        new Promise((resolve, reject) => {
          const src = new URL(`${table}-${task}.js`, base).href;
          const fail = () => reject(new Error(`${table}-${task}.js is not there`));
          document.head.append(make("script", { src, onload: resolve, onerror: fail }));
        }),
    ),
  );
  return [globalThis.tinyvgg.network[task], globalThis.tinyvgg.errors[task]];
}

/** Offer a bench in each element of the page that asks for one; load it when it is touched. */
export function offer(base, tasks) {
  for (const host of document.querySelectorAll(".tinyvgg-bench")) {
    const { task, row } = host.dataset;
    if (host.shadowRoot || !tasks.includes(task)) continue;
    const kept = parse(location.hash);
    const root = host.attachShadow({ mode: "open" });
    const begin = status(root, "Switch cells off yourself", async () => {
      const [network, errors] = await fetchTask(base, task);
      const ask = await worker(network, errors);
      const first = kept.task === task ? kept : { row: row && Number(row) };
      mount(root, { ...errors, task }, ask, { state: first, moved: remember });
    });
    if (kept.task === task) begin();
  }
}

/** Put a button below what an element has; it says what is going on, and whether it failed. */
export function status(root, words, work) {
  const said = make("p", { role: "status" });
  const start = make("button", { type: "button", className: "start" }, words);
  start.onclick = async () => {
    start.disabled = true;
    said.textContent = "Loading the network …";
    try {
      await work();
    } catch (error) {
      said.textContent = `The network could not be loaded (${error.message}).`;
      start.disabled = false;
    }
  };
  root.append(make("style", {}, STYLE), make("slot"), make("div", {}, start, said));
  return start.onclick;
}

/** Keep a state in the address, so that it can be linked to. */
function remember(state) {
  try {
    history.replaceState(null, "", `#${format(state)}`);
  } catch {
    // Safari refuses more than a hundred in half a minute, which a brush may reach
  }
}

// --------------------------------------------------------------------------------- a notebook

/** Show a bench as a widget, whose kernel answers and knows the error and the cells that are off. */
export function render({ model, el, experimental }) {
  const ask = async (name, asked) => (await experimental.invoke("_answer", { name, asked }))[0];
  const moved = ({ row, off }) => {
    model.set({ row, cells: off });
    model.save_changes();
  };
  const root = el.attachShadow({ mode: "open" });
  mount(root, model.get("about"), ask, { state: { row: model.get("row") }, moved });
}
