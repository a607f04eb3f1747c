// Asks the network of two scripts of tinyvgg.chapters.bench what a page asks it, and "explain" for
// all that network.js finds: node explain_errors.mjs NETWORK.js ERRORS.js < QUESTIONS
//
// QUESTIONS are a JSON list of [name, asked]; the answers are printed as JSON, one a line.
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import * as bench from "../../book/bench/network.js";
import { images, session } from "../../book/bench/session.js";

for (const script of process.argv.slice(2))
  runInThisContext(new TextDecoder("utf-16le").decode(readFileSync(script)));
const tables = Object.values(globalThis.tinyvgg);
const [weights, errors] = tables.map((table) => Object.values(table)[0]);
const network = await bench.load(weights);
const pixels = await images(errors.images, network.size);

function explain({ row, true: label, given }) {
  const trace = bench.record(network, bench.scale(network, pixels.get(row)));
  const literal = bench.backtrack(network, trace, given);
  const cutoff = bench.backtrack(network, trace, given, bench.RULES.cutoff);
  const answer = bench.answer(network, bench.suppress(trace.maps, cutoff.cells));
  return {
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
    rescored: answer.probabilities,
    filled: bench.rescore(network, trace, cutoff.cells, 0.5),
    projected: bench.deconvolve(network, trace),
    tracked: bench.trackFeatures(network, trace, cutoff.cells),
  };
}

const answers = { ...(await session(weights, errors)), explain };
const plain = (_, value) => (ArrayBuffer.isView(value) ? [...value] : value ?? null);
for (const [name, asked] of JSON.parse(readFileSync(0, "utf8")))
  console.log(JSON.stringify(answers[name](asked), plain));
