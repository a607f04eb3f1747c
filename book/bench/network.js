/**
 * Tiny VGG in a browser, on typed arrays, one image at a time: the forward pass, the deconvnet,
 * backtracking (Algorithm 1), contributions, suppression and feature tracking (Algorithm 2).
 *
 * The functions mean what those of the Python library mean, and break ties as these do.
 *
 * @typedef {Float32Array} Image (3, height, width), as the network sees it
 * @typedef {Float32Array} Maps (channels, height, width)
 * @typedef {Float32Array} Neurons activations, gradients or logits, one for each neuron
 * @typedef {Uint8Array} Mask 1 where an element is kept, else 0
 * @typedef {Mask} Cells a mask of the last pooled maps
 *
 * @typedef {object} Plain a layer before it has weights
 * @property {"convolution" | "relu" | "max_pool" | "dense"} kind a convolution has filters of 3 x 3
 *     and a border of one zero, a max-pool windows of 2 x 2; a ReLU follows each dense layer but the
 *     last
 * @property {number} [inputs] channels, or neurons, that enter
 * @property {number} [outputs] channels, or neurons, that leave
 *
 * @typedef {object} Weights
 * @property {number} side height and width of the maps that enter
 * @property {Float32Array} [weight] (outputs, inputs, 3, 3), or (outputs, inputs): W[r, i] of the
 *     paper is weight[i * inputs + r]
 * @property {Float32Array} [bias] (outputs)
 * @property {Float32Array} [turned] (inputs, outputs, 3, 3): filters of the transposed convolution
 * @typedef {Plain & Weights} Layer
 *
 * @typedef {object} About
 * @property {string[]} classes the classes' names
 * @property {number} size height and width of the images
 * @property {{shift: number[], scale: number[]}} scaling of the pixels: (pixel - shift) / scale
 *
 * @typedef {About & {body: Layer[], dense: Layer[]}} Network the body ends with the last max-pool;
 *     the dense layers are W_1, ..., W_n, W_o
 *
 * @typedef {object} Answer
 * @property {Neurons[]} dense a_1, ..., a_n: the hidden dense layers, after their ReLU
 * @property {Neurons} logits
 * @property {Neurons} probabilities
 * @property {number} predicted the class of the largest logit
 *
 * @typedef {Answer & {maps: Maps, switches: Uint32Array[]}} Trace a recorded forward pass: the last
 *     pooled maps, and of each max-pool the place of every maximum in its plane
 *
 * @typedef {{percentile?: number, floor?: number}} Rule keeps cells with a positive product; with a
 *     percentile, those with a product above that of all products that exceed the floor
 */

/** The literal Algorithm 1, and the rule of the published code, which cuts off in its last step.
 * @type {{literal: Rule, cutoff: Rule}} */
export const RULES = { literal: {}, cutoff: { percentile: 90, floor: 0.05 } };

const TAPS = 9;

/** Return the network that a script of `tinyvgg.book.bench` registers.
 * @param {About & {layers: Plain[], weights: string}} data @returns {Promise<Network>} */
export async function load({ weights, ...data }) {
  return assemble(data, decodeHalves(joinPlanes(await inflate(fromBase64(weights)))));
}

/** Return a network from the numbers of all its layers, in order: each one's weight, then its bias.
 * @param {About & {layers: Plain[]}} data @param {Float32Array} numbers @returns {Network} */
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
  if (at !== numbers.length) throw new Error(`the layers take ${at} numbers, not ${numbers.length}`);
  const dense = read.filter((layer) => layer.kind === "dense");
  return { ...about, body: read.slice(0, -dense.length), dense };
}

/** Return the filters of the transposed convolution.
 * @param {Layer} layer @returns {Float32Array} (inputs, outputs, 3, 3) */
function turn({ weight, inputs, outputs }) {
  const turned = new Float32Array(weight.length);
  for (let k = 0; k < outputs; k++)
    for (let c = 0; c < inputs; c++)
      for (let tap = 0; tap < TAPS; tap++)
        turned[(c * outputs + k + 1) * TAPS - 1 - tap] = weight[(k * inputs + c) * TAPS + tap];
  return turned;
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let n = 0; n < bytes.length; n++) bytes[n] = binary.charCodeAt(n);
  return bytes;
}

/** @param {Uint8Array} bytes as zlib compresses @returns {Promise<Uint8Array>} */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return 16-bit numbers whose low bytes come first, and then all their high bytes.
 * @param {Uint8Array} bytes (2, n) @returns {Uint16Array} (n) */
function joinPlanes(bytes) {
  const joined = new Uint16Array(bytes.length / 2);
  for (let n = 0; n < joined.length; n++) joined[n] = bytes[n] | (bytes[joined.length + n] << 8);
  return joined;
}

/** Return float16 numbers as float32, which holds each of them exactly.
 * @param {Uint16Array} halves their bits @returns {Float32Array} */
export function decodeHalves(halves) {
  const values = new Float32Array(2 ** 16);
  for (let bits = 0; bits < values.length; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    let value = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    if (exponent === 31) value = fraction ? NaN : Infinity;
    values[bits] = bits >> 15 ? -value : value;
  }
  const decoded = new Float32Array(halves.length);
  for (let n = 0; n < decoded.length; n++) decoded[n] = values[halves[n]];
  return decoded;
}

/** Return an image as the network sees it.
 * @param {Network} network @param {ArrayLike<number>} pixels (height, width, channels), 8 bits each
 * @param {number} channels 3, or the 4 of a canvas, whose last is left out @returns {Image} */
export function scale({ size, scaling: { shift, scale } }, pixels, channels = 3) {
  const image = new Float32Array(3 * size * size);
  for (let c = 0, at = 0; c < 3; c++)
    for (let n = 0; n < size * size; n++, at++)
      image[at] = Math.fround(pixels[n * channels + c] - shift[c]) / scale[c];
  return image;
}

/** Run the network on an image and keep what explanations need.
 * @param {Network} network @param {Image} image @returns {Trace} */
export function record(network, image) {
  const switches = [];
  let maps = image;
  for (const layer of network.body) {
    if (layer.kind === "convolution") maps = convolve(maps, layer.side, layer.weight, layer.bias);
    else if (layer.kind === "relu") maps = rectify(maps);
    else {
      const pooled = pool(maps, layer.side);
      maps = pooled.maps;
      switches.push(pooled.switches);
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
    const activations = rectify(logits);
    dense.push(activations);
    logits = sums(layer, activations);
  }
  return { dense, logits, probabilities: softmax(logits), predicted: largest(logits) };
}

/** Return the probabilities of the classes (equation 2).
 * @param {Neurons} logits @returns {Neurons} */
export function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power);
  return Float32Array.from(powers, (power) => power / total);
}

/** Return the place of the largest value; of equals the first.
 * @param {Neurons} values @returns {number} */
function largest(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}

/** Convolve maps with filters of 3 x 3 and a border of one zero.
 * @param {Maps} maps @param {number} side @param {Float32Array} weight (kernels, channels, 3, 3)
 * @param {Float32Array} bias (kernels) @returns {Maps} */
function convolve(maps, side, weight, bias) {
  const [kernels, channels, area] = [bias.length, maps.length / side ** 2, side ** 2];
  const framed = frame(maps, side);
  const out = new Float32Array((kernels + (kernels % 2)) * area); // a spare plane if it is odd
  bias.forEach((value, k) => out.fill(value, k * area, (k + 1) * area));
  for (let c = 0; c < channels; c++) {
    const map = framed.subarray(c * (side + 2) ** 2, (c + 1) * (side + 2) ** 2);
    if (map.every((value) => value === 0)) continue;
    for (let k = 0; k < kernels; k += 2) {
      const [one, other] = [k, Math.min(k + 1, kernels - 1)].map((n) => (n * channels + c) * TAPS);
      addTwo(out, k * area, map, side, weight, one, other);
    }
  }
  return out.subarray(0, kernels * area);
}

/** Put a border of one zero around each map.
 * @param {Maps} maps @param {number} side @returns {Maps} */
function frame(maps, side) {
  const [rows, wide] = [maps.length / side, side + 2];
  const framed = new Float32Array((rows / side) * wide * wide);
  for (let row = 0; row < rows; row++) {
    const to = (Math.floor(row / side) * wide + (row % side) + 1) * wide + 1;
    framed.set(maps.subarray(row * side, (row + 1) * side), to);
  }
  return framed;
}

/**
 * Add a framed map, as two filters see it, to two planes that follow each other.
 *
 * Most time is spent here. Each value is read once for both filters: two columns x, y (0 and 1) of
 * each row a, b, c of the window are kept while it moves to the right.
 * @param {Float32Array} out @param {number} to where the first plane begins
 * @param {Float32Array} map (side + 2, side + 2) @param {number} side
 * @param {Float32Array} w @param {number} f where the first filter begins @param {number} g the other
 */
function addTwo(out, to, map, side, w, f, g) {
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

/** @param {Float32Array} values @returns {Float32Array} */
function rectify(values) {
  const rectified = new Float32Array(values.length);
  for (let n = 0; n < values.length; n++) if (values[n] > 0) rectified[n] = values[n];
  return rectified;
}

/** Return the maximum of each window of 2 x 2 and its switch; of equals the first in reading order.
 * @param {Maps} maps @param {number} side the last row and column of an odd one are left out
 * @returns {{maps: Maps, switches: Uint32Array}} */
export function pool(maps, side) {
  const half = Math.floor(side / 2);
  const pooled = new Float32Array((maps.length / side ** 2) * half * half);
  const switches = new Uint32Array(pooled.length);
  for (let n = 0; n < pooled.length; n++) {
    const [plane, i, j] = [Math.floor(n / half ** 2), Math.floor(n / half) % half, n % half];
    const [from, corner] = [plane * side * side, 2 * (i * side + j)];
    let best = corner;
    if (maps[from + corner + 1] > maps[from + best]) best = corner + 1;
    if (maps[from + corner + side] > maps[from + best]) best = corner + side;
    if (maps[from + corner + side + 1] > maps[from + best]) best = corner + side + 1;
    pooled[n] = maps[from + best];
    switches[n] = best;
  }
  return { maps: pooled, switches };
}

/** Put each value back to its switch, zeros elsewhere.
 * @param {Maps} pooled @param {Uint32Array} switches @param {number} side @returns {Maps} */
function unpool(pooled, switches, side) {
  const windows = Math.floor(side / 2) ** 2;
  const maps = new Float32Array((pooled.length / windows) * side * side);
  for (let n = 0; n < pooled.length; n++)
    maps[Math.floor(n / windows) * side * side + switches[n]] = pooled[n];
  return maps;
}

/** Return the sums of a dense layer, before a ReLU.
 * @param {Layer} layer @param {Float32Array} below @returns {Neurons} */
function sums({ weight, bias, inputs }, below) {
  const above = new Float32Array(bias);
  for (let i = 0, at = 0; i < above.length; i++) {
    let a = 0, b = 0, c = 0, d = 0, r = 0; // four sums: an addition need not wait for the one before
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
 * @returns {Image} */
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
 * @returns {{cells: Cells, neurons: Mask[]}} neurons of a_1, ..., a_n */
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
 * @param {Layer} layer @param {Float32Array} below @param {Mask} above @returns {Mask} */
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
 * @param {Layer} layer @param {Float32Array} below @param {Mask} above @param {Rule} rule
 * @returns {Mask} */
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

/** Return numpy's percentile, by linear interpolation, of values that are sorted in place.
 * @param {Float32Array} values @param {number} percentile @returns {number} infinity without values */
export function percentileOf(values, percentile) {
  if (!values.length) return Infinity;
  values.sort();
  const position = (values.length - 1) * (percentile / 100);
  const [below, share] = [Math.floor(position), position % 1];
  const [low, high] = [values[below], values[Math.min(below + 1, values.length - 1)]];
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

/** Return the places of values other than zero.
 * @param {ArrayLike<number>} values @returns {number[]} */
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
 * @param {Layer} layer @param {Float64Array} above @returns {Float64Array} */
function pullBack({ weight, inputs }, above) {
  const below = new Float64Array(inputs);
  for (const i of places(above))
    for (let r = 0; r < inputs; r++) below[r] += above[i] * weight[i * inputs + r];
  return below;
}

/** Return maps with a fill in some cells; the given ones are left as they are.
 * @param {Maps} maps @param {Cells} cells
 * @param {number | ArrayLike<number>} fill one value, one for each channel, or other maps
 * @returns {Maps} */
export function suppress(maps, cells, fill = 0) {
  const values = typeof fill === "number" ? [fill] : fill;
  const spread = maps.length / values.length;
  return maps.map((value, n) => (cells[n] ? values[Math.floor(n / spread)] : value));
}

/** Return the logits once cells of the last maps hold a fill (see `suppress`).
 * @param {Network} network @param {Trace} trace @param {Cells} cells
 * @param {number | ArrayLike<number>} fill @returns {Neurons} */
export function rescore(network, trace, cells, fill = 0) {
  return answer(network, suppress(trace.maps, cells, fill)).logits;
}

/** Return the features of cells in the image, |D(M) - D(M')|, M' being M without them (Algorithm 2).
 * @param {Network} network @param {Trace} trace @param {Cells} cells @returns {Image} */
export function trackFeatures(network, trace, cells) {
  const without = deconvolve(network, trace, suppress(trace.maps, cells));
  return deconvolve(network, trace).map((value, n) => Math.abs(value - without[n]));
}
