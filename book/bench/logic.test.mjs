// node --test book/bench/logic.test.mjs
import assert from "node:assert/strict";
import test from "node:test";
import * as logic from "./logic.js";

const CLASSES = ["angry", "happy", "sad"];
const near = { true: 0, given: 1, margin: -0.1, subject: "10", angle: "45" };
const CASES = [
  { ...near, row: 3, fewest: [1, 2] },
  { ...near, row: 5, fewest: [], given: 2, margin: -2, subject: "9" },
  { ...near, row: 8, fewest: [7], true: 2, subject: "9" },
  { ...near, row: 9, fewest: [8], margin: -1, subject: "2" },
];
const rows = (wanted, order) => logic.choose(CASES, CLASSES, wanted, order).map((one) => one.row);

test("errors are filtered by the fields in which they differ, with numbers in their order", () => {
  assert.deepEqual(logic.filters(CASES, CLASSES), [
    ["true", ["angry", "sad"]],
    ["given", ["happy", "sad"]],
    ["subject", ["2", "9", "10"]],
  ]);
  assert.deepEqual(logic.filters([], CLASSES), []);
});

test("errors are chosen by all that is asked for, in any order, without a repair last", () => {
  assert.deepEqual(rows({}, "image"), [3, 5, 8, 9]);
  assert.deepEqual(rows({}, "margin"), [3, 8, 9, 5]);
  assert.deepEqual(rows({}, "fewest"), [9, 8, 3, 5]);
  assert.deepEqual(rows({ subject: "9", true: "" }, "fewest"), [8, 5]);
  assert.deepEqual(rows({ subject: "9", true: "angry" }, "image"), [5]);
  assert.deepEqual(rows({ subject: "9", given: "angry" }, "image"), []);
  for (const order of Object.keys(logic.ORDERS)) assert.equal(rows({}, order).length, 4);
});

test("draws have the right size, repeat nothing, and take each number as often as another", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const [numbers, times, counts] = [[2, 3, 5, 7, 11, 13], 20000, new Map()];
  for (let n = 0; n < times; n++) {
    const drawn = logic.draw(numbers, 2, random);
    assert(drawn.length === 2 && drawn[0] < drawn[1] && drawn.every((d) => numbers.includes(d)));
    counts.set(String(drawn), (counts.get(String(drawn)) ?? 0) + 1);
  }
  const expected = times / 15; // sets of two of six
  const squares = [...counts.values()].map((count) => (count - expected) ** 2 / expected);
  assert.equal(counts.size, 15);
  assert(squares.reduce((sum, square) => sum + square) < 36.1); // chi-squared, 14, p = 0.001
  assert.deepEqual(logic.draw(numbers, 9, random), numbers);
  assert.deepEqual(logic.draw(numbers, 0), []);
});

test("the overlap of two sets", () => {
  assert.equal(logic.overlap([1, 2, 3], [2, 3, 4]), 0.5);
  assert.equal(logic.overlap([1], [2]), 0);
  assert.equal(logic.overlap([], [2]), 0);
  assert.equal(logic.overlap([4, 2], [2, 4]), 1);
  assert.equal(logic.overlap([], []), 1);
});

test("bars are of the true, the given and the likeliest classes, in the order of classes", () => {
  const answers = [[0, 0.1, 0.5, 0.4, 0, 0], [0.2, 0, 0.1, 0, 0.7, 0]];
  const one = { true: 5, given: 1 };
  assert.deepEqual(logic.shown(one, answers, 2), [1, 5]);
  assert.deepEqual(logic.shown(one, answers, 4), [1, 2, 4, 5]);
  assert.deepEqual(logic.shown(one, answers), [0, 1, 2, 3, 4, 5]);
});

test("the sentence says what the network answers, and whether it is right", () => {
  const say = (probabilities, count) =>
    logic
      .sentence({ case: { true: 0, given: 1 }, classes: CLASSES, probabilities, count })
      .replace("\u00a0", " ");
  assert.equal(say([0.256, 0.744, 0], 0), "All cells on: happy, 74 %. Still wrong.");
  assert.equal(say([0.3, 0.7, 0], 12), "12 cells off: happy, 70 %. Still wrong.");
  assert.equal(say([0.3, 0.3, 0.4], 2), "2 cells off: sad, 40 %. Another wrong class.");
  assert.equal(say(Float32Array.of(0.996, 0.004, 0), 1), "1 cell off: angry, 100 %. Right!");
});

test("a guess is judged by the fewest cells found", () => {
  const judge = (place, fewest) => logic.judged(logic.GUESSES[place], fewest);
  assert.equal(judge(0, 1), "You said 1, and it is. The fewest found: 1 cell.");
  assert.equal(judge(1, 3), "You said 2 or 3, and it is. The fewest found: 3 cells.");
  assert.equal(judge(2, 3), "You said 4 to 9; it takes fewer. The fewest found: 3 cells.");
  assert.equal(judge(1, 40), "You said 2 or 3; it takes more. The fewest found: 40 cells.");
  assert.match(judge(3, 0), /^No set of cells/);
  for (let fewest = 1; fewest < 30; fewest++)
    assert.equal(logic.GUESSES.filter((_, n) => / and it is/.test(judge(n, fewest))).length, 1);
});

test("a state comes back from the address", () => {
  const whole = { task: "emotion", row: 12, off: [0, 7, 2047], from: 0, rule: "cutoff" };
  const odd = ["a&b=c", "50 % #1.5", "ö/ü?", "row=3"].map((task) => ({ task, row: 0 }));
  for (const state of [whole, { row: 3 }, { off: [5] }, {}, ...odd])
    assert.deepEqual(logic.parse(`#${logic.format(state)}`), state);
  const few = logic.format({ ...whole, off: [], from: undefined });
  assert.equal(few, "bench:task=emotion&row=12&rule=cutoff");
});

test("what is malformed in an address is left out", () => {
  for (const none of ["", "#", "#other", "#bench:", "#bench:&&=&off&row=&task=&x=1&from=1e3"])
    assert.deepEqual(logic.parse(none).row, undefined);
  assert.deepEqual(logic.parse("#bench:off=x.1&row=-3&%E0%A4%A"), { off: [1] });
  assert.deepEqual(logic.parse("#bench:task=%E0%A4%A&from=2&off=..&rule=%"), { from: 2, off: [] });
});
