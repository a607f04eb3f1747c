// node --test book/bench/network.test.mjs
//
// Each function against slow, obvious loops. Weights, pixels and fills are small whole numbers, so
// that all sums are exact in float32, whatever their order: results are equal, not just near, and
// there are many ties.
import assert from "node:assert/strict";
import test from "node:test";
import * as bench from "./network.js";

const CLASSES = 4;
const EXACT = 2 ** 24; // whole numbers below it are exact in float32

/** Return a source of random whole numbers, the same for the same seed (mulberry32). */
function draw(seed) {
  return (count, low, high) =>
    Array.from({ length: count }, () => {
      let t = (seed += 0x6d2b79f5);
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return low + Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * (high - low + 1));
    });
}

/** Return a small network, an image, and the trace of it. */
function example({ seed = 1, size = 10, maps = [3, 5], hidden = [9, 7], bias = 1 } = {}) {
  const numbers = draw(seed);
  const layers = [];
  const values = [];
  let [channels, side] = [3, size];
  const add = (kind, inputs, outputs, taps) => {
    layers.push({ kind, inputs, outputs });
    values.push(...numbers(inputs * outputs * taps, -1, 1), ...numbers(outputs, -bias, bias));
  };
  for (const wide of maps) {
    for (const inputs of [channels, wide]) {
      add("convolution", inputs, wide, 9);
      layers.push({ kind: "relu" });
    }
    layers.push({ kind: "max_pool" });
    [channels, side] = [wide, Math.floor(side / 2)];
  }
  const widths = [channels * side * side, ...hidden, CLASSES];
  for (let n = 0; n + 1 < widths.length; n++) add("dense", widths[n], widths[n + 1], 1);
  const scaling = { shift: [0, 0, 0], scale: [1, 1, 1] };
  const about = { classes: [..."abcd"], size, scaling, layers };
  const network = bench.assemble(about, Float32Array.from(values));
  const image = Float32Array.from(numbers(3 * size * size, 0, 2));
  return { network, image, trace: bench.record(network, image), numbers, layers, values };
}

const EXAMPLES = [
  {},
  { seed: 2, size: 12, maps: [4, 6], hidden: [16] },
  { seed: 3, size: 8, maps: [2], hidden: [8, 8, 8] },
  { seed: 4, size: 16, maps: [2, 3, 2] },
].map(example);

const same = (found, expected) => assert.deepEqual(Array.from(found), Array.from(expected));
const zeros = (count) => new Array(count).fill(0);
const relu = (values) => values.map((value) => Math.max(value, 0));

/** Visit all pairs of places and taps of a convolution, those in the border left out. */
function eachTap({ inputs, outputs, side }, visit) {
  for (let k = 0; k < outputs; k++)
    for (let c = 0; c < inputs; c++)
      for (let i = 0; i < side; i++)
        for (let j = 0; j < side; j++)
          for (let u = 0; u < 3; u++)
            for (let v = 0; v < 3; v++) {
              const [y, x] = [i + u - 1, j + v - 1];
              if (y < 0 || x < 0 || y >= side || x >= side) continue;
              const [below, above] = [(c * side + y) * side + x, (k * side + i) * side + j];
              visit(below, above, ((k * inputs + c) * 3 + u) * 3 + v);
            }
}

function slowConvolve(layer, maps) {
  const { bias, side, weight } = layer;
  const out = Array.from(bias).flatMap((value) => new Array(side * side).fill(value));
  eachTap(layer, (below, above, tap) => (out[above] += weight[tap] * maps[below]));
  return out;
}

function slowPool({ side }, maps) {
  const [values, switches, half] = [[], [], Math.floor(side / 2)];
  for (let c = 0; c < maps.length / side / side; c++)
    for (let i = 0; i < half; i++)
      for (let j = 0; j < half; j++) {
        const corner = 2 * i * side + 2 * j;
        const window = [corner, corner + 1, corner + side, corner + side + 1];
        const seen = window.map((place) => maps[c * side * side + place]);
        values.push(Math.max(...seen));
        switches.push(window[seen.indexOf(Math.max(...seen))]);
      }
  return [values, switches];
}

const slowDense = ({ weight, bias, inputs }, below) =>
  Array.from(bias, (b, i) => below.reduce((sum, a, r) => sum + a * weight[i * inputs + r], b));

function slowHead(network, maps) {
  const dense = [Array.from(maps)];
  for (const layer of network.dense) dense.push(relu(slowDense(layer, dense.at(-1))));
  return { dense: dense.slice(1, -1), logits: slowDense(network.dense.at(-1), dense.at(-2)) };
}

function slowRecord(network, image) {
  let maps = Array.from(image);
  const switches = [];
  for (const layer of network.body) {
    if (layer.kind === "convolution") maps = slowConvolve(layer, maps);
    if (layer.kind === "relu") maps = relu(maps);
    if (layer.kind === "max_pool") {
      const [values, places] = slowPool(layer, maps);
      maps = values;
      switches.push(places);
    }
    assert(maps.every((value) => Math.abs(value) < EXACT));
  }
  return { maps, switches, ...slowHead(network, maps) };
}

function slowDeconvolve(network, switches, maps) {
  let [signal, left] = [Array.from(maps), switches.length];
  for (const layer of [...network.body].reverse()) {
    const { side, inputs, weight } = layer;
    if (layer.kind === "relu") signal = relu(signal);
    if (layer.kind === "convolution") {
      const below = zeros(inputs * side * side);
      eachTap(layer, (to, from, tap) => (below[to] += weight[tap] * signal[from]));
      signal = below;
    }
    if (layer.kind === "max_pool") {
      const [places, half] = [switches[--left], Math.floor(side / 2)];
      const above = zeros((signal.length / half / half) * side * side);
      signal.forEach((v, n) => (above[Math.floor(n / half / half) * side * side + places[n]] = v));
      signal = above;
    }
    assert(signal.every((value) => Math.abs(value) < EXACT));
  }
  return signal;
}

/** Return the masks of the cells and of a_1, ..., a_n, straight from the definition. */
function slowBacktrack(network, trace, target, rule) {
  const activations = [trace.maps, ...trace.dense];
  const masks = [];
  let kept = [target];
  for (let n = network.dense.length - 1; n >= 0; n--) {
    const { weight, inputs } = network.dense[n];
    const every = Array.from(activations[n], (a, r) => kept.map((i) => a * weight[i * inputs + r]));
    const cutoff = n === 0 && rule.floor !== undefined ? slowCutoff(every.flat(), rule) : 0;
    const mask = every.map((row) => Number(row.some((product) => product > cutoff)));
    masks.unshift(mask);
    kept = mask.flatMap((value, r) => (value ? [r] : []));
  }
  return masks;
}

function slowCutoff(products, { percentile, floor }) {
  const values = products.filter((product) => product > floor).sort((a, b) => a - b);
  if (!values.length) return Infinity;
  const place = ((values.length - 1) * percentile) / 100;
  const next = values[Math.ceil(place)] - values[Math.floor(place)];
  return values[Math.floor(place)] + next * (place - Math.floor(place));
}

/** Return what a cell alone adds to the logits while the same neurons are active. */
function slowShare(network, trace, cell, target) {
  let signal = Array.from(trace.maps, (value, n) => (n === cell ? value : 0));
  network.dense.forEach((layer, n) => {
    const unbiased = { ...layer, bias: zeros(layer.outputs) };
    signal = slowDense(unbiased, signal);
    if (n < trace.dense.length) signal = signal.map((v, r) => (trace.dense[n][r] > 0 ? v : 0));
  });
  return signal[target];
}

/** Return cells of which about a third are kept. */
const someCells = ({ trace, numbers }) =>
  Uint8Array.from(numbers(trace.maps.length, 0, 2), (value) => Number(value === 0));

/** Return bytes, compressed, as text of 15 bits a character. */
async function packed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  const content = new Uint8Array(await new Response(stream).arrayBuffer());
  const bits = Array.from(content, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const spare = (15 - (bits.length % 15)) % 15;
  const words = (bits + "0".repeat(spare)).match(/.{15}/g).map((word) => parseInt(word, 2));
  return String.fromCharCode(...[spare, ...words].map((word) => 0x3400 + word));
}

test("texts of 15 bits a character are unpacked, whatever is spare", async () => {
  const numbers = draw(7);
  const spare = new Set();
  for (let length = 0; length < 60; length++) {
    const bytes = numbers(length, 0, 255);
    const text = await packed(Uint8Array.from(bytes));
    same(await bench.unpack(text), bytes);
    spare.add(text[0]);
  }
  assert.equal(spare.size, 15);
});

test("float16 numbers are decoded exactly", () => {
  const known = {
    0x0000: 0, 0x8000: -0, 0x0001: 2 ** -24, 0x03ff: 1023 * 2 ** -24, 0x0400: 2 ** -14,
    0x3555: 1365 / 4096, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x7c00: Infinity, 0xfc00: -Infinity,
  };
  const bits = Object.keys(known).map(Number);
  const found = bench.decodeHalves(bits.map((b) => b & 255), bits.map((b) => b >> 8));
  assert.deepEqual(Array.from(found), Object.values(known));
  const finite = Array.from({ length: 0x7c00 }, (_, b) => b);
  const rising = bench.decodeHalves(finite.map((b) => b & 255), finite.map((b) => b >> 8));
  assert(rising.every((value, n) => n === 0 || value > rising[n - 1]));
  assert(Number.isNaN(bench.decodeHalves([1], [0x7c])[0]));
});

test("a script's weights are read back", async () => {
  const { network, values, layers } = EXAMPLES[0];
  const halves = values.map((value) => (value ? 0x3c00 | (value < 0 ? 0x8000 : 0) : 0));
  const bytes = Uint8Array.from([...halves.map((h) => h & 255), ...halves.map((h) => h >> 8)]);
  const weights = await packed(bytes);
  const { classes, size, scaling } = network;
  assert.deepEqual(await bench.load({ classes, size, scaling, layers, weights }), network);
});

test("weights that do not fit the layers are refused", () => {
  const about = { layers: [{ kind: "dense", inputs: 2, outputs: 1 }], size: 1, classes: ["a"] };
  for (const count of [2, 4])
    assert.throws(() => bench.assemble(about, new Float32Array(count)), /numbers/);
});

test("pixels are scaled by colour, and a canvas's fourth channel is left out", () => {
  const network = { size: 2, scaling: { shift: [1, 2, 3], scale: [2, 4, 8] } };
  const colours = [[1, 2, 3], [3, 6, 11], [5, 10, 19], [7, 14, 27]];
  const expected = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3];
  same(bench.scale(network, colours.flat()), expected);
  same(bench.scale(network, colours.flatMap((rgb) => [...rgb, 255]), 4), expected);
});

test("the forward pass, its switches and its answer", () => {
  for (const { network, image, trace } of EXAMPLES) {
    const slow = slowRecord(network, image);
    same(trace.maps, slow.maps);
    slow.switches.forEach((places, n) => same(trace.switches[n], places));
    slow.dense.forEach((activations, n) => same(trace.dense[n], activations));
    same(trace.logits, slow.logits);
    assert.equal(trace.predicted, slow.logits.indexOf(Math.max(...slow.logits)));
    assert(new Set(slow.maps).size > 3);
  }
});

test("probabilities are those of the softmax, for large logits too", () => {
  same(bench.softmax(Float32Array.of(1000, 1000)), [0.5, 0.5]);
  const found = bench.softmax(Float32Array.of(0, Math.log(3)));
  found.forEach((value, k) => assert(Math.abs(value - [0.25, 0.75][k]) < 2 ** -22)); // float32
});

test("of equal logits the first is the answer", () => {
  const { network, trace } = example();
  network.dense.at(-1).weight.fill(0);
  network.dense.at(-1).bias.set([1, 2, 2, 0]);
  assert.equal(bench.answer(network, trace.maps).predicted, 1);
});

test("the deconvnet, of the recorded and of other maps", () => {
  for (const { network, trace, numbers } of EXAMPLES) {
    const other = Float32Array.from(numbers(trace.maps.length, -2, 2));
    for (const maps of [trace.maps, other]) {
      const found = bench.deconvolve(network, trace, maps);
      same(found, slowDeconvolve(network, trace.switches, maps));
      assert(found.some((value) => value !== 0));
    }
    same(bench.deconvolve(network, trace), bench.deconvolve(network, trace, trace.maps));
  }
});

test("backtracking, by both rules, from each class", () => {
  const rules = [...Object.values(bench.RULES), { percentile: 50, floor: 3 }];
  for (const { network, trace } of EXAMPLES)
    for (const rule of rules)
      for (let target = 0; target < CLASSES; target++) {
        const { cells, neurons } = bench.backtrack(network, trace, target, rule);
        const [slow, ...above] = slowBacktrack(network, trace, target, rule);
        same(cells, slow);
        above.forEach((mask, n) => same(neurons[n], mask));
      }
  const { network, trace } = EXAMPLES[1];
  const counts = rules.map((rule) => bench.backtrack(network, trace, undefined, rule).cells);
  assert(new Set(counts.map((cells) => cells.reduce((sum, cell) => sum + cell))).size > 1);
});

test("products up to the floor take no part, and none lies above its own cutoff", () => {
  const { network, trace } = example({ maps: [2], hidden: [] });
  const kept = (maps, weight, percentile, floor) => {
    trace.maps.fill(0).set(maps);
    network.dense[0].weight.fill(weight);
    const { cells } = bench.backtrack(network, trace, 0, { percentile, floor });
    return cells.reduce((sum, cell) => sum + cell);
  };
  assert.equal(kept([1, 1, 2], 1, 0, 0), 1);
  assert.equal(kept([1, 1, 2], 1, 0, 1), 0);
  assert.equal(kept([1, 1, 1], 1, 90, 0.05), 0);
  assert.equal(kept([1, 1, 1], 1, 90, 1), 0);
  // the floor and the products are compared in float32
  assert.equal(kept([0.05, 1], 1, 0, 0.05), 0);
  assert.equal(kept([1 + 2 ** -12, 2], 1 + 2 ** -12, 0, 1 + 2 ** -11), 0);
});

test("negative cells are kept by negative weights", () => {
  const { network, trace } = EXAMPLES[1];
  const negative = { ...trace, maps: trace.maps.map((value) => -value) };
  const { cells } = bench.backtrack(network, negative);
  same(cells, slowBacktrack(network, negative, trace.predicted, {})[0]);
  assert(cells.some((cell) => cell));
});

test("percentiles are interpolated as numpy does", () => {
  assert.equal(bench.percentileOf(Float32Array.of(4, 1, 3, 2), 90), 3.7);
  assert.equal(bench.percentileOf(Float32Array.of(5), 90), 5);
  assert.equal(bench.percentileOf(Float32Array.of(0, 10), 25), 2.5);
  assert.equal(bench.percentileOf(new Float32Array(0), 90), Infinity);
});

test("contributions are what each cell adds by itself, while the same neurons are active", () => {
  for (const { network, trace } of EXAMPLES)
    for (const [target, against] of [[0, undefined], [1, 2], [3, 3]]) {
      const found = bench.contributions(network, trace, target, against);
      const slow = (cell, k) => (k === undefined ? 0 : slowShare(network, trace, cell, k));
      found.forEach((share, cell) =>
        assert.equal(share + 0, slow(cell, target) - slow(cell, against) + 0),
      );
    }
});

test("rescoring with a number, a value a channel and other maps", () => {
  for (const one of EXAMPLES) {
    const { network, trace, numbers } = one;
    const [cells, before] = [someCells(one), Array.from(trace.maps)];
    const channels = network.body.findLast((layer) => layer.kind === "convolution").outputs;
    const area = trace.maps.length / channels;
    const [few, many] = [numbers(channels, 0, 5), numbers(trace.maps.length, 0, 5)];
    const ofChannel = (n) => few[Math.floor(n / area)];
    const fills = [[0, () => 0], [3, () => 3], [few, ofChannel], [many, (n) => many[n]]];
    for (const [fill, value] of fills) {
      const maps = before.map((old, n) => (cells[n] ? value(n) : old));
      same(bench.suppress(trace.maps, cells, fill), maps);
      same(bench.rescore(network, trace, cells, fill), slowHead(network, maps).logits);
    }
    same(trace.maps, before);
    same(bench.rescore(network, trace, new Uint8Array(cells.length)), trace.logits);
  }
});

test("tracked features are the absolute difference of two projections", () => {
  for (const one of EXAMPLES) {
    const { network, trace } = one;
    const cells = someCells(one);
    const without = Array.from(trace.maps, (value, n) => (cells[n] ? 0 : value));
    const project = (maps) => slowDeconvolve(network, trace.switches, maps);
    const [all, rest] = [trace.maps, without].map(project);
    const found = bench.trackFeatures(network, trace, cells);
    same(found, all.map((value, n) => Math.abs(value - rest[n])));
    assert(found.some((value) => value > 0));
    same(bench.trackFeatures(network, trace, new Uint8Array(cells.length)), zeros(found.length));
  }
});

test("maps of zeros have their first switches, no cells and no features", () => {
  const { network } = example({ bias: 0 });
  const trace = bench.record(network, new Float32Array(3 * network.size ** 2));
  const { side } = network.body.find((layer) => layer.kind === "max_pool");
  assert.equal(trace.switches[0][1], 2);
  assert.equal(trace.switches[0][Math.floor(side / 2)], 2 * side);
  same(trace.probabilities, new Array(CLASSES).fill(1 / CLASSES));
  for (const rule of Object.values(bench.RULES)) {
    const { cells, neurons } = bench.backtrack(network, trace, 0, rule);
    for (const mask of [cells, ...neurons]) same(mask, zeros(mask.length));
  }
  const all = new Uint8Array(trace.maps.length).fill(1);
  same(bench.trackFeatures(network, trace, all), zeros(3 * network.size ** 2));
  same(bench.contributions(network, trace, 1).map(Math.abs), zeros(all.length));
});
