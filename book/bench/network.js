/**
 * Tiny VGG in a browser, on typed arrays, one image at a time: the forward pass, the deconvnet,
 * backtracking (Algorithm 1), contributions, suppression and feature tracking (Algorithm 2).
 *
 * The functions mean what those of the Python library mean, and break ties as these do.
 *
 * @typedef {Float32Array} Floats
 * @typedef {Floats} Maps (channels, height, width); an image is (3, height, width)
 * @typedef {Floats} Neurons a number for each neuron of a dense layer, or for each class
 * @typedef {Uint8Array} Mask 1 for each neuron, or cell of the last maps, that is kept, else 0
 *
 * @typedef {"convolution" | "relu" | "max_pool" | "dense"} Kind filters are 3 x 3 with a border of
 *     one zero, windows 2 x 2; a ReLU follows each dense layer but the last
 * @typedef {{kind: Kind, inputs?: number, outputs?: number}} Plain a layer without its weights
 * @typedef {{side: number, weight?: Floats, bias?: Floats, turned?: Floats}} Weights side of the
 *     maps below; weight is (outputs, inputs, 3, 3) or (outputs, inputs), so that W[r, i] of the
 *     paper is weight[i * inputs + r]; turned has a transposed convolution's filters
 * @typedef {Plain & Weights} Layer
 * @typedef {{classes: string[], size: number, scaling: {shift: number[], scale: number[]}}} About
 *     names of the classes, side of the images, and their input: (pixel - shift) / scale
 * @typedef {About & {body: Layer[], dense: Layer[]}} Network the body ends with the last max-pool
 *
 * @typedef {{dense: Neurons[], logits: Neurons, probabilities: Neurons, predicted: number}} Answer
 *     the hidden dense layers a_1, ..., a_n after their ReLU, and the class of the largest logit
 * @typedef {Answer & {maps: Maps, switches: Uint32Array[]}} Trace a recorded forward pass: the last
 *     pooled maps, and for each max-pool the place of every maximum in its plane
 * @typedef {{percentile?: number, floor?: number}} Rule keeps cells with a positive product; with a
 *     percentile, those with a product above that of all products that exceed the floor
 */

/** The literal Algorithm 1, and the rule of the published code, which cuts off in its last step.
 * @type {{literal: Rule, cutoff: Rule}} */
export const RULES = { literal: {}, cutoff: { percentile: 90, floor: 0.05 } };

const TAPS = 9;

/** Return the network that a script registers (`tinyvgg.chapters.bench`). Its weights are float16,
 * all low bytes first, packed.
 * @param {About & {layers: Plain[], weights: string}} data @returns {Promise<Network>} */
export async function load({ weights, ...data }) {
  const bytes = await unpack(weights);
  const count = bytes.length / 2;
  return assemble(data, decodeHalves(bytes.subarray(0, count), bytes.subarray(count)));
}

/** Return a network from the numbers of all its layers, in order: each one's weight, then its bias.
 * @param {About & {layers: Plain[]}} data @param {Floats} numbers @returns {Network} */
export function assemble({ layers, ...about }, numbers) {
  let at = 0;
  let side = about.size;
  const take = (count) => numbers.subarray(at, (at += count));
  const read = layers.map((plain) => {
    const layer = { ...plain, side };
    if (layer.kind === "max_pool") side = Math.floor(side / 2);
    if (layer.kind === "max_pool" || layer.kind === "relu") return layer;
    const taps = layer.kind === "convolution" ? TAPS : 1;
    layer.weight = take(layer.outputs * layer.inputs * taps);
    layer.bias = take(layer.outputs);
    if (layer.kind === "convolution") layer.turned = turn(layer);
    return layer;
  });
  if (at !== numbers.length) throw new Error(`layers take ${at} of ${numbers.length} numbers`);
  const dense = read.filter((layer) => layer.kind === "dense");
  return { ...about, body: read.slice(0, -dense.length), dense };
}

/** Return the filters of the transposed convolution, (inputs, outputs, 3, 3).
 * @type {(layer: Layer) => Floats} */
function turn({ weight, inputs, outputs }) {
  const turned = new Float32Array(weight.length);
  for (let k = 0; k < outputs; k++)
    for (let c = 0; c < inputs; c++)
      for (let tap = 0; tap < TAPS; tap++)
        turned[(c * outputs + k + 1) * TAPS - 1 - tap] = weight[(k * inputs + c) * TAPS + tap];
  return turned;
}

/** Return the bytes in a text of 15 bits a character, whose first one says how many bits are spare.
 * @param {string} text @returns {Promise<Uint8Array>} */
export async function unpack(text) {
  const first = 0x3400;
  const spare = text.charCodeAt(0) - first;
  const bytes = new Uint8Array(((text.length - 1) * 15 - spare) / 8);
  for (let n = 1, at = 0, held = 0, bits = 0; n < text.length; n++) {
    held = (held << 15) | (text.charCodeAt(n) - first);
    for (bits += 15; bits >= 8 && at < bytes.length; held &= (1 << bits) - 1)
      bytes[at++] = held >> (bits -= 8);
  }
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

/** Return float16 numbers as float32, which holds each of them exactly.
 * @param {Uint8Array} low their low bytes @param {Uint8Array} high @returns {Floats} */
export function decodeHalves(low, high) {
  const values = Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    let value = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    if (exponent === 31) value = fraction ? NaN : Infinity;
    return bits >> 15 ? -value : value;
  });
  const decoded = new Float32Array(low.length);
  for (let n = 0; n < decoded.length; n++) decoded[n] = values[low[n] | (high[n] << 8)];
  return decoded;
}

/** Return an image as the network sees it.
 * @param {Network} network @param {ArrayLike<number>} pixels (height, width, channels), 8 bits each
 * @param {number} channels 3, or the 4 of a canvas, whose last is left out @returns {Maps} */
export function scale({ size, scaling: { shift, scale } }, pixels, channels = 3) {
  const image = new Float32Array(3 * size * size);
  for (let c = 0, at = 0; c < 3; c++)
    for (let n = 0; n < size * size; n++, at++)
      image[at] = Math.fround(pixels[n * channels + c] - shift[c]) / scale[c];
  return image;
}

/** Run the network on an image and keep what explanations need.
 * @param {Network} network @param {Maps} image @returns {Trace} */
export function record(network, image) {
  const switches = [];
  let maps = image;
  for (const { kind, side, weight, bias } of network.body) {
    if (kind === "convolution") maps = convolve(maps, side, weight, bias);
    else if (kind === "relu") maps = rectify(maps);
    else {
      const [pooled, places] = pool(maps, side);
      maps = pooled;
      switches.push(places);
    }
  }
  return { maps, switches, ...answer(network, maps) };
}

/** Run the dense layers on last maps.
 * @param {Network} network @param {Maps} maps @returns {Answer} */
export function answer(network, maps) {
  const [first, ...rest] = network.dense;
  const dense = [];
  let logits = sums(first, maps);
  for (const layer of rest) {
    dense.push(rectify(logits));
    logits = sums(layer, dense[dense.length - 1]);
  }
  const predicted = logits.indexOf(Math.max(...logits));
  return { dense, logits, probabilities: softmax(logits), predicted };
}

/** Return the probabilities of the classes (equation 2).
 * @param {Neurons} logits @returns {Neurons} */
export function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power);
  return Float32Array.from(powers, (power) => power / total);
}

/** Convolve maps with filters (kernels, channels, 3, 3), with a border of one zero.
 * @type {(maps: Maps, side: number, weight: Floats, bias: Floats) => Maps} */
function convolve(maps, side, weight, bias) {
  const area = side * side; // not side ** 2, which makes slower numbers
  const [kernels, channels, planes] = [bias.length, maps.length / area, framed(maps, side)];
  const live = places(planes.map((plane) => Number(plane.some((value) => value !== 0))));
  const out = new Float32Array((kernels + (kernels % 2)) * area); // a spare plane if it is odd
  for (let k = 0; k < kernels; k += 2) {
    const next = Math.min(k + 1, kernels - 1);
    out.fill(bias[k], k * area, (k + 1) * area);
    out.fill(bias[next], (k + 1) * area, (k + 2) * area);
    for (const c of live)
      addTwo(out, k * area, planes[c], side, weight, k * channels + c, next * channels + c);
  }
  return out.subarray(0, kernels * area);
}

/** Return each map with a border of one zero. @type {(maps: Maps, side: number) => Floats[]} */
function framed(maps, side) {
  return Array.from({ length: maps.length / (side * side) }, (_, c) => {
    const plane = new Float32Array((side + 2) * (side + 2));
    for (let i = 0, row = c * side * side; i < side; i++, row += side)
      plane.set(maps.subarray(row, row + side), (i + 1) * (side + 2) + 1);
    return plane;
  });
}

/**
 * Add a framed map, as the filters f and g see it, to two planes of `out` that follow each other.
 *
 * Most time is spent here. Each value is read once for both filters: two columns (0 and 1) of the
 * rows a, b, c of the window are kept while it moves to the right.
 * @param {Floats} out @param {number} to where the first plane begins
 * @param {Floats} map (side + 2, side + 2) @param {number} side
 * @param {Floats} w weights of all filters @param {number} f @param {number} g */
function addTwo(out, to, map, side, w, f, g) {
  f *= TAPS;
  g *= TAPS;
  const f0 = w[f], f1 = w[f + 1], f2 = w[f + 2], f3 = w[f + 3], f4 = w[f + 4];
  const f5 = w[f + 5], f6 = w[f + 6], f7 = w[f + 7], f8 = w[f + 8];
  const g0 = w[g], g1 = w[g + 1], g2 = w[g + 2], g3 = w[g + 3], g4 = w[g + 4];
  const g5 = w[g + 5], g6 = w[g + 6], g7 = w[g + 7], g8 = w[g + 8];
  const area = side * side;
  for (let i = 0; i < side; i++) {
    let a = i * (side + 2), b = a + side + 2, c = b + side + 2;
    let a0 = map[a++], a1 = map[a++], b0 = map[b++], b1 = map[b++], c0 = map[c++], c1 = map[c++];
    for (let j = 0; j < side; j++, to++) {
      const a2 = map[a++], b2 = map[b++], c2 = map[c++];
      out[to] +=
        f0 * a0 + f1 * a1 + f2 * a2 + f3 * b0 + f4 * b1 + f5 * b2 + f6 * c0 + f7 * c1 + f8 * c2;
      out[to + area] +=
        g0 * a0 + g1 * a1 + g2 * a2 + g3 * b0 + g4 * b1 + g5 * b2 + g6 * c0 + g7 * c1 + g8 * c2;
      a0 = a1; a1 = a2; b0 = b1; b1 = b2; c0 = c1; c1 = c2;
    }
  }
}

/** @type {(values: Floats) => Floats} */
function rectify(values) {
  const rectified = new Float32Array(values.length);
  for (let n = 0; n < values.length; n++) if (values[n] > 0) rectified[n] = values[n];
  return rectified;
}

/** Return the maximum of each window of 2 x 2 and its switch; of equals the first in reading order.
 * @type {(maps: Maps, side: number) => [Maps, Uint32Array]} */
function pool(maps, side) {
  const [half, area] = [Math.floor(side / 2), side * side];
  const pooled = new Float32Array((maps.length / area) * half * half);
  const switches = new Uint32Array(pooled.length);
  for (let n = 0, plane = 0; n < pooled.length; plane += area)
    for (let i = 0; i < half; i++)
      for (let j = 0; j < half; j++, n++) {
        const corner = plane + 2 * (i * side + j);
        let best = corner;
        if (maps[corner + 1] > maps[best]) best = corner + 1;
        if (maps[corner + side] > maps[best]) best = corner + side;
        if (maps[corner + side + 1] > maps[best]) best = corner + side + 1;
        pooled[n] = maps[best];
        switches[n] = best - plane;
      }
  return [pooled, switches];
}

/** Put each value back to its switch, zeros elsewhere.
 * @type {(pooled: Maps, switches: Uint32Array, side: number) => Maps} */
function unpool(pooled, switches, side) {
  const half = Math.floor(side / 2);
  const maps = new Float32Array((pooled.length / (half * half)) * side * side);
  for (let n = 0; n < pooled.length; n++)
    maps[Math.floor(n / (half * half)) * side * side + switches[n]] = pooled[n];
  return maps;
}

/** Return a dense layer's sums, before a ReLU. @type {(layer: Layer, below: Neurons) => Neurons} */
function sums({ weight, bias, inputs }, below) {
  const above = new Float32Array(bias);
  for (let i = 0, at = 0; i < above.length; i++) {
    let a = 0, b = 0, c = 0, d = 0, r = 0; // four sums: additions need not wait
    for (; r + 3 < inputs; r += 4, at += 4) {
      a += weight[at] * below[r];
      b += weight[at + 1] * below[r + 1];
      c += weight[at + 2] * below[r + 2];
      d += weight[at + 3] * below[r + 3];
    }
    for (; r < inputs; r++, at++) a += weight[at] * below[r];
    above[i] += a + b + c + d;
  }
  return above;
}

/** Project last maps, changed or not, back to the input, without biases: the deconvnet.
 * @param {Network} network @param {Trace} trace gives the switches @param {Maps} maps
 * @returns {Maps} */
export function deconvolve(network, trace, maps = trace.maps) {
  const switches = [...trace.switches];
  let signal = maps;
  for (const { kind, side, turned, inputs } of [...network.body].reverse()) {
    if (kind === "max_pool") signal = unpool(signal, switches.pop(), side);
    else if (kind === "relu") signal = rectify(signal);
    else signal = convolve(signal, side, turned, new Float32Array(inputs));
  }
  return signal;
}

/** Find the neurons and cells that lead to a class, from the logits down (Algorithm 1).
 * @param {Network} network @param {Trace} trace @param {number} target @param {Rule} rule
 * @returns {{cells: Mask, neurons: Mask[]}} neurons of a_1, ..., a_n */
export function backtrack(network, trace, target = trace.predicted, rule = RULES.literal) {
  const neurons = [];
  let above = Uint8Array.from(trace.logits, (_, k) => Number(k === target));
  for (let n = trace.dense.length; n > 0; n--) {
    above = reached(network.dense[n], trace.dense[n - 1], above);
    neurons.unshift(above);
  }
  const last = rule.percentile === undefined ? reached : aboveCutoff;
  return { cells: last(network.dense[0], trace.maps, above, rule), neurons };
}

/** Return the neurons below that have a positive product with a kept neuron above.
 * @type {(layer: Layer, below: Neurons, above: Mask) => Mask} */
function reached({ weight, inputs }, below, above) {
  const kept = new Uint8Array(inputs);
  let open = places(below);
  for (const i of places(above)) {
    for (const r of open) kept[r] = Number(weight[i * inputs + r] * below[r] > 0);
    open = open.filter((r) => !kept[r]);
  }
  return kept;
}

/** Return the neurons below with a product, in float32, above the cutoff of a rule.
 * @type {(layer: Layer, below: Neurons, above: Mask, rule: Rule) => Mask} */
function aboveCutoff({ weight, inputs }, below, above, { percentile, floor }) {
  const [active, selected, least] = [places(below), places(above), Math.fround(floor)];
  const most = new Float32Array(inputs);
  const products = new Float32Array(active.length * selected.length);
  let count = 0;
  for (const i of selected)
    for (const r of active) {
      const product = Math.fround(weight[i * inputs + r] * below[r]);
      if (product <= least) continue;
      products[count++] = product;
      most[r] = Math.max(most[r], product);
    }
  const cutoff = percentileOf(products.subarray(0, count), percentile);
  return Uint8Array.from(most, (product) => Number(product > cutoff));
}

/** Return numpy's percentile of values, which are sorted in place; infinity where there are none.
 * @type {(values: Floats, percentile: number) => number} */
export function percentileOf(values, percentile) {
  if (!values.length) return Infinity;
  values.sort();
  const position = (values.length - 1) * (percentile / 100);
  const [below, share] = [Math.floor(position), position % 1];
  const [low, high] = [values[below], values[Math.min(below + 1, values.length - 1)]];
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

/** Return the places of values other than zero. @type {(values: ArrayLike<number>) => number[]} */
function places(values) {
  const found = [];
  for (let n = 0; n < values.length; n++) if (values[n] !== 0) found.push(n);
  return found;
}

/** Return the exact share of each cell in a logit, or in its difference to another class's.
 * @param {Network} network @param {Trace} trace @param {number} target @param {number} [against]
 * @returns {Maps} */
export function contributions(network, trace, target = trace.predicted, against = undefined) {
  let gradient = Float64Array.from(trace.logits, (_, k) => (k === target) - (k === against));
  for (let n = trace.dense.length; n > 0; n--) {
    const active = trace.dense[n - 1];
    gradient = pullBack(network.dense[n], gradient).map((value, r) => (active[r] > 0 ? value : 0));
  }
  gradient = pullBack(network.dense[0], gradient);
  return trace.maps.map((activation, cell) => activation * gradient[cell]);
}

/** Return the gradient below a dense layer from the one above it.
 * @type {(layer: Layer, above: Float64Array) => Float64Array} */
function pullBack({ weight, inputs }, above) {
  const below = new Float64Array(inputs);
  for (const i of places(above))
    for (let r = 0; r < inputs; r++) below[r] += above[i] * weight[i * inputs + r];
  return below;
}

/** Return maps with a fill in some cells; the given ones are left as they are.
 * @param {Maps} maps @param {Mask} cells
 * @param {number | ArrayLike<number>} fill one value, one for each channel, or other maps
 * @returns {Maps} */
export function suppress(maps, cells, fill = 0) {
  const values = typeof fill === "number" ? [fill] : fill;
  const spread = maps.length / values.length;
  return maps.map((value, n) => (cells[n] ? values[Math.floor(n / spread)] : value));
}

/** Return the logits once cells of the last maps hold a fill (see `suppress`).
 * @param {Network} network @param {Trace} trace @param {Mask} cells
 * @param {number | ArrayLike<number>} fill @returns {Neurons} */
export function rescore(network, trace, cells, fill = 0) {
  return answer(network, suppress(trace.maps, cells, fill)).logits;
}

/** Return the features of cells in the image: |D(M) - D(M')|, M' without them (Algorithm 2).
 * @param {Network} network @param {Trace} trace @param {Mask} cells @returns {Maps} */
export function trackFeatures(network, trace, cells) {
  const without = deconvolve(network, trace, suppress(trace.maps, cells));
  return deconvolve(network, trace).map((value, n) => Math.abs(value - without[n]));
}
