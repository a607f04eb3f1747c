// Explains the errors in two scripts of tinyvgg.book.bench, and prints all that it finds as JSON, a
// line an error: node explain_errors.mjs NETWORK.js ERRORS.js
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import * as bench from "../../book/bench/network.js";

for (const script of process.argv.slice(2, 4)) runInThisContext(readFileSync(script, "utf8"));
const [task] = Object.keys(globalThis.tinyvgg.network);
const network = await bench.load(globalThis.tinyvgg.network[task]);
const { cases, images } = globalThis.tinyvgg.errors[task];

for (const { row, true: label, given } of cases) {
  const pixels = bench.fromBase64(images[row].pixels);
  const trace = bench.record(network, bench.scale(network, pixels));
  const literal = bench.backtrack(network, trace, given);
  const cutoff = bench.backtrack(network, trace, given, bench.RULES.cutoff);
  const found = {
    row,
    logits: trace.logits,
    probabilities: trace.probabilities,
    dense: trace.dense,
    maps: trace.maps,
    switches: trace.switches,
    literal: literal.cells,
    neurons: literal.neurons,
    cutoff: cutoff.cells,
    shares: bench.contributions(network, trace, given),
    margin: bench.contributions(network, trace, given, label),
    rescored: bench.rescore(network, trace, cutoff.cells),
    filled: bench.rescore(network, trace, cutoff.cells, 0.5),
    projected: bench.deconvolve(network, trace),
    tracked: bench.trackFeatures(network, trace, cutoff.cells),
  };
  console.log(JSON.stringify(found, (_, value) => (ArrayBuffer.isView(value) ? [...value] : value)));
}
