/**
 * What the repair bench knows apart from networks and pages: which errors are shown, which cells are
 * off, what the address keeps of both, and what to say about an answer.
 *
 * @typedef {{row: number, true: number | null, given: number, lookalike: number | null, fewest: number[],
 *     margin: number, subject?: string, emotion?: string, angle?: string}} Case an error: rows of
 *     its image and its look-alike's, the fewest cells found that repair it, and the true logit
 *     minus the largest other
 * @typedef {{case: Case, classes: string[], probabilities: ArrayLike<number>, count: number}} Answer
 *     the answer of the network to an error with some number of cells off
 * @typedef {{task?: string, row?: number, off?: number[], from?: number, rule?: string}} State what
 *     the address keeps
 */

/** The fields that errors are filtered by, and their names. */
export const FIELDS = {
  true: "true class",
  given: "taken for",
  subject: "subject",
  emotion: "emotion",
  angle: "camera at",
};

/** The orders of the errors: as the images, from near misses, from the easiest to repair, and of
 * equally easy ones from the one that is most wrong. */
export const ORDERS = { image: "image", margin: "margin", fewest: "cells needed" };

/** @param {number} count @param {string} word @returns {string} */
export const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Return the value of an error under one of the fields, in words.
 * @param {Case} one @param {string} field @param {string[]} classes */
export const fieldOf = (one, field, classes) =>
  field === "true" || field === "given" ? classes[one[field]] : one[field];

/** Return the fields in which errors differ, each with its values in order.
 * @param {Case[]} cases @param {string[]} classes @returns {[string, string[]][]} */
export function filters(cases, classes) {
  const values = (field) => [...new Set(cases.map((one) => fieldOf(one, field, classes)))];
  const order = new Intl.Collator("en", { numeric: true }).compare;
  return Object.keys(FIELDS)
    .map((field) => [field, values(field).filter((value) => value !== undefined).sort(order)])
    .filter(([, found]) => found.length > 1);
}

/** Return the errors that have all values asked for, in an order.
 * @param {Case[]} cases @param {string[]} classes @param {Record<string, string>} wanted
 * @param {string} order @returns {Case[]} */
export function choose(cases, classes, wanted, order) {
  const asked = Object.entries(wanted).filter(([, value]) => value);
  const found = cases.filter((one) =>
    asked.every(([field, value]) => fieldOf(one, field, classes) === value),
  );
  const by = { image: (one) => one.row, margin: (one) => -one.margin };
  by.fewest = (one) => one.fewest.length || Infinity; // errors without a repair come last
  return found.sort((a, b) => by[order](a) - by[order](b) || a.margin - b.margin || a.row - b.row);
}

/** Return some of the numbers, each set of that size as likely as any other.
 * @param {number[]} numbers @param {number} count @param {() => number} random from 0 to below 1 */
export function draw(numbers, count, random = Math.random) {
  const left = [...numbers];
  for (let n = 0; n < Math.min(count, left.length); n++) {
    const other = n + Math.floor(random() * (left.length - n));
    [left[n], left[other]] = [left[other], left[n]];
  }
  return left.slice(0, count).sort((a, b) => a - b);
}

/** Return the overlap of two sets, the Jaccard index; of two empty ones it is 1.
 * @param {number[]} some @param {number[]} others */
export function overlap(some, others) {
  const other = new Set(others);
  const both = some.filter((one) => other.has(one)).length;
  return some.length + others.length ? both / (some.length + others.length - both) : 1;
}

/** Return the classes that are worth a bar, in their own order: true, given, and the likeliest.
 * @param {Case} one @param {ArrayLike<number>[]} answers probabilities @param {number} most */
export function shown(one, answers, most = 8) {
  const peak = Array.from(answers[0], (_, k) => Math.max(...answers.map((each) => each[k])));
  for (const label of [one.true ?? one.given, one.given]) peak[label] = 2;
  const ranked = peak.map((_, k) => k).sort((a, b) => peak[b] - peak[a] || a - b);
  return ranked.slice(0, most).sort((a, b) => a - b);
}

/** Return the class of the largest probability. @param {ArrayLike<number>} probabilities */
export const winner = (probabilities) =>
  Array.from(probabilities).indexOf(Math.max(...Array.from(probabilities)));

/** Say what the network answers. @param {Answer} answer */
export function sentence({ case: one, classes, probabilities, count }) {
  const now = winner(probabilities);
  const chance = `${classes[now]}, ${Math.round(100 * probabilities[now])}\u00a0%`;
  const off = count ? `${counted(count, "cell")} off` : "All cells on";
  if (one.true === null) return `${off}: ${chance}.`;
  if (now === one.true) return `${off}: ${chance}. Right!`;
  return `${off}: ${chance}. ${now === one.given ? "Still wrong" : "Another wrong class"}.`;
}

/** Return the guesses to choose from, as [words, smallest, largest]. */
export const GUESSES = [
  ["1", 1, 1],
  ["2 or 3", 2, 3],
  ["4 to 9", 4, 9],
  ["10 or more", 10, Infinity],
];

/** Say how a guess compares with the fewest cells that were found.
 * @param {[string, number, number]} guess @param {number} fewest */
export function judged([words, least, most], fewest) {
  if (!fewest) return "No set of cells was found whose loss makes this answer right.";
  const found = `The fewest found: ${counted(fewest, "cell")}.`;
  if (least <= fewest && fewest <= most) return `You said ${words}, and it is. ${found}`;
  return `You said ${words}; it takes ${fewest < least ? "fewer" : "more"}. ${found}`;
}

const KEYS = ["task", "row", "off", "from", "rule"];

/** Return a state as the part of an address behind its #. @param {State} state */
export function format(state) {
  const kept = KEYS.filter((key) => state[key] !== undefined && state[key]?.length !== 0);
  const words = (value) => encodeURIComponent([value].flat().join("."));
  return `bench:${kept.map((key) => `${key}=${words(state[key])}`).join("&")}`;
}

/** Return the state in an address, without what is not well formed. @param {string} hash */
export function parse(hash) {
  const [, text] = hash.split("#bench:");
  const state = {};
  for (const part of text?.split("&") ?? []) {
    const [key, word = ""] = part.split("=");
    const value = decoded(word);
    const whole = (word) => /^\d{1,9}$/.test(word);
    if (key === "off") state.off = value.split(".").filter(whole).map(Number);
    else if (["row", "from"].includes(key) && whole(value)) state[key] = Number(value);
    else if (["task", "rule"].includes(key) && value) state[key] = value;
  }
  return state;
}

/** Return a word of an address, nothing if it is malformed. @param {string} word */
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return "";
  }
}
