/**
 * What a page asks about the errors of a network, answered by the network itself. A worker runs this
 * in the site; a notebook's kernel answers the same questions (`tinyvgg.chapters.bench`).
 */

import {
  RULES,
  backtrack,
  contributions,
  deconvolve,
  load,
  record,
  rescore,
  scale,
  softmax,
  suppress,
  trackFeatures,
  unpack,
} from "./network.js";

/**
 * @typedef {number[]} Cells flat places in the last maps, rising
 * @typedef {{found: Cells, common: Cells, unique: Cells}} Sets what a rule finds in an error, and
 *     which of these it finds in the look-alike, too, or not
 */

/** Return the images of a script, by row. @param {any} errors @param {number} size */
export async function images({ rows, pixels }, size) {
  const planes = await unpack(pixels);
  const area = size * size;
  return new Map(rows.map((row, n) => [row, join(planes, n * 3 * area, size)]));
}

/** Return (height, width, 3) from differences along each row of R - G, G and B - G.
 * @param {Uint8Array} planes @param {number} at @param {number} size */
function join(planes, at, size) {
  const area = size * size;
  const image = new Uint8Array(3 * area);
  for (const c of [1, 0, 2])
    for (let n = 0, level = 0; n < area; n++) {
      level = (n % size ? level : 0) + planes[at + c * area + n];
      image[3 * n + c] = c === 1 ? level : level + image[3 * n + 1];
    }
  return image;
}

/** @param {ArrayLike<number>} mask @returns {Cells} */
const placesOf = (mask) => Array.from(mask).flatMap((kept, cell) => (kept ? [cell] : []));

/** @param {Cells} cells @param {number} count @returns {import("./network.js").Mask} */
function maskOf(cells, count) {
  const mask = new Uint8Array(count);
  for (const cell of cells) mask[cell] = 1;
  return mask;
}

/** Return the mean absolute value of each pixel over its colours. @param {import("./network.js").Maps} image */
function strength(image) {
  const area = image.length / 3;
  const size = (n) => Math.abs(image[n]);
  const mean = (_, n) => (size(n) + size(n + area) + size(n + 2 * area)) / 3;
  return Float32Array.from({ length: area }, mean);
}

/** Return the places of the largest values, of equal ones the first.
 * @param {ArrayLike<number>} values @param {number} count @returns {Cells} */
function largest(values, count) {
  const order = Array.from(values, (_, n) => n).sort((a, b) => values[b] - values[a] || a - b);
  return order.slice(0, count).filter((n) => values[n] > 0).sort((a, b) => a - b);
}

/** Return the class of the second largest logit. @param {ArrayLike<number>} logits */
function second(logits) {
  const order = Array.from(logits, (_, k) => k).sort((a, b) => logits[b] - logits[a] || a - b);
  return order[1];
}

/** Return the answers to questions about a network's errors, by name.
 * @param {any} network @param {any} errors what the two scripts of a task register */
export async function session(network, errors) {
  const model = await load(network);
  const pixels = await images(errors.images, model.size);
  const traces = new Map();
  const see = (row) => {
    if (!traces.has(row)) traces.set(row, record(model, scale(model, pixels.get(row))));
    return traces.get(row);
  };
  const find = (trace, target, rule) => placesOf(backtrack(model, trace, target, rule).cells);
  const { side, outputs } = model.body.findLast((layer) => layer.kind === "convolution");
  const half = Math.floor(side / 2);

  /** @returns {Sets} */
  const compare = (wrong, right, rule) => {
    const found = find(wrong, wrong.predicted, rule);
    const other = new Set(right ? find(right, right.predicted, rule) : []);
    const [common, unique] = [true, false].map((both) => found.filter((c) => other.has(c) === both));
    return { found, common, unique };
  };

  return {
    /** Open an error: its image and look-alike, maps, exact shares in given minus true, and sets. */
    open({ row, lookalike, true: label }) {
      const trace = see(row);
      const right = lookalike === null ? undefined : see(lookalike);
      const rules = Object.entries(RULES);
      return {
        image: pixels.get(row),
        lookalike: pixels.get(lookalike),
        shape: [outputs, half, half],
        maps: trace.maps,
        shares: contributions(model, trace, trace.predicted, label ?? second(trace.logits)),
        probabilities: trace.probabilities,
        sets: Object.fromEntries(rules.map(([name, rule]) => [name, compare(trace, right, rule)])),
      };
    },

    /** Answer to another image, and what the published code finds in it from this answer. */
    face({ pixels: image }) {
      const { maps, probabilities, predicted, ...rest } = record(model, scale(model, image));
      const cells = find({ maps, predicted, ...rest }, predicted, RULES.cutoff);
      return { maps, probabilities, cells, shape: [outputs, half, half] };
    },

    /** Return the probabilities with some cells of the last maps at zero. */
    off({ row, cells }) {
      const trace = see(row);
      return softmax(rescore(model, trace, maskOf(cells, trace.maps.length)));
    },

    /** Backtrack from a class; "contribution" takes as many cells as the cutoff, by their share. */
    backtrack({ row, target, rule }) {
      const trace = see(row);
      if (rule !== "contribution") return find(trace, target, RULES[rule]);
      const { length } = find(trace, target, RULES.cutoff);
      return largest(contributions(model, trace, target), length);
    },

    /** Return what some cells alone look like in the image, as strength a pixel. */
    glow({ row, cells }) {
      const trace = see(row);
      const others = maskOf(cells, trace.maps.length).map((kept) => 1 - kept);
      return strength(deconvolve(model, trace, suppress(trace.maps, others)));
    },

    /** Return the tracked features of some cells, as strength a pixel (Algorithm 2). */
    features({ row, cells }) {
      const trace = see(row);
      return strength(trackFeatures(model, trace, maskOf(cells, trace.maps.length)));
    },
  };
}

/** Answer a page's messages, each {id, name, asked}; the first one, "start", brings the scripts. */
export function serve(port) {
  let answers;
  port.onmessage = async ({ data: { id, name, asked } }) => {
    try {
      if (name === "start") answers = await session(asked.network, asked.errors);
      port.postMessage({ id, answer: name === "start" ? null : answers[name](asked) });
    } catch (error) {
      port.postMessage({ id, error: String(error) });
    }
  };
}
