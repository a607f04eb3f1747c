/** The second act: the answer of the network to a synthetic face, while its causes change. */

import { bar, fetchTask, make, status, worker } from "./bench.js";
import { counted, overlap, winner } from "./logic.js";

/** Offer, beside the faces of a page, the network's answers to them; load it when it is touched. */
export function follow(base, tasks) {
  for (const host of document.querySelectorAll(".tinyvgg-answers")) {
    if (host.shadowRoot || !tasks.includes(host.dataset.task)) continue;
    const faces = document.getElementById(host.dataset.faces);
    const root = host.attachShadow({ mode: "open" });
    status(root, "Ask the network", async () => {
      const [network, errors] = await fetchTask(base, host.dataset.task);
      show(root, faces, errors.classes, await worker(network, errors));
    });
  }
}

/** Show the answer to each face that is shown, beside that to the first one. */
function show(root, faces, classes, ask) {
  const said = make("p", { className: "said", ariaLive: "polite" });
  const bars = make("div", { className: "bars" });
  const wall = make("canvas", { role: "img", className: "small" });
  const cells = make("p", { className: "cell", ariaLive: "polite" });
  const maps = make("div", { className: "maps" }, wall, cells);
  const answer = make("div", { className: "answer" }, said, bars);
  const section = { className: "bench follows", ariaLabel: "what the network answers" };
  root.lastElementChild.replaceWith(make("section", section, answer, maps));
  let turn = 0;

  async function update() {
    const mine = ++turn;
    const { rest, shown } = faces.faces;
    const [before, now] = [await ask("face", { pixels: rest }), await ask("face", { pixels: shown })];
    if (mine !== turn) return;
    const [was, is] = [winner(before.probabilities), winner(now.probabilities)];
    const chance = Math.round(100 * now.probabilities[is]);
    const change = was === is ? "as at rest" : `and at rest ${classes[was]}: this cause flips it`;
    said.textContent = `The network says ${classes[is]}, ${chance}\u00a0%, ${change}.`;
    bars.replaceChildren(
      ...classes.map((name, k) => {
        const kind = k === was ? "true" : k === is ? "given" : "";
        return bar(name, kind, k === is, before.probabilities[k], now.probabilities[k]);
      }),
    );
    const other = new Set(before.cells);
    const left = before.cells.length - now.cells.filter((cell) => other.has(cell)).length;
    const came = now.cells.filter((cell) => !other.has(cell)).length;
    cells.textContent =
      `${counted(now.cells.length, "backtracked cell")} (published cutoff): ` +
      `${came} came, ${left} went; the overlap is ${overlap(before.cells, now.cells).toFixed(2)}.`;
    paintMaps(wall, now, other);
  }
  faces.addEventListener("shown", update);
  update();
}

/** Draw all maps, a pixel a cell: activation as ink, backtracked cells in orange, new ones in red. */
function paintMaps(canvas, { maps, shape: [channels, rows, across], cells }, before) {
  const columns = Math.min(8, channels);
  canvas.width = columns * (across + 1) - 1;
  canvas.height = Math.ceil(channels / columns) * (rows + 1) - 1;
  canvas.setAttribute("aria-label", `${channels} maps with ${counted(cells.length, "cell")} marked`);
  const context = canvas.getContext("2d");
  const top = Math.max(...maps) || 1;
  const kept = new Set(cells);
  for (let cell = 0; cell < maps.length; cell++) {
    const [map, inside] = [Math.floor(cell / (rows * across)), cell % (rows * across)];
    const x = (map % columns) * (across + 1) + (inside % across);
    const y = Math.floor(map / columns) * (rows + 1) + Math.floor(inside / across);
    const ink = 235 - Math.round((150 * maps[cell]) / top);
    const mark = before.has(cell) ? "#e69f00" : "#d55e00";
    context.fillStyle = kept.has(cell) ? mark : `rgb(${ink} ${ink} ${ink})`;
    context.fillRect(x, y, 1, 1);
  }
}
