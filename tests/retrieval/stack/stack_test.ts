/**
 * The laws of the stack, on simulated streams.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { type Part, PARTS, Stack } from "../../../src/retrieval/stack/stack.ts";
import { play, type StreamOptions } from "./streams.ts";

type Known = Partial<Record<Part, number>>;

const always = (known: Known) => (_: number, part: Part) => known[part] ?? null;

function bytesOf(stack: Stack): Uint8Array {
  const to = new ByteWriter();
  stack.encode(to);
  return to.toBytes();
}

Deno.test("Stack: parts that are noise join in 5 % of streams at most", () => {
  const streams = 60;
  let joined = 0;
  for (let seed = 0; seed < streams; seed++) {
    const { changes } = play({ seed, choices: 400, knows: always({ blend: 0.5, head: 0, model: 0 }) });
    if (changes.length > 0) joined++;
  }
  assert.ok(joined <= 0.05 * streams, `${joined} of ${streams}`);
});

Deno.test("Stack: a part that knows as much as the blend, and something else, joins within 500 choices", () => {
  for (const part of ["head", "bank", "model"] as const) {
    for (let seed = 0; seed < 4; seed++) {
      const { changes } = play({ seed, choices: 500, knows: always({ blend: 0.5, [part]: 0.5 }) });
      assert.ok(changes.some(([, parts]) => parts === `blend+${part}`), `${part}, ${seed}: ${changes}`);
    }
  }
});

Deno.test("Stack: blend and model order at first; one that is noise soon says nothing any more", () => {
  assert.deepEqual(new Stack().parts, ["blend", "model"]);
  for (const good of ["blend", "model"] as const) {
    const knows = (_: number, part: Part) =>
      part === good ? 0.6 : part === "blend" || part === "model" ? 0 : null;
    for (let seed = 0; seed < 3; seed++) {
      const { ranks } = play({ seed, choices: 600, knows }, new Stack());
      assert.ok(ranks.stack > ranks[good] - 6, `${good}, ${seed}: ${ranks.stack} of ${ranks[good]}`);
    }
  }
});

Deno.test("Stack: a model that the learner has proved orders alone until another set is better here, by lists that judge it", () => {
  const by = { blend: [3, 2, 1, 0], head: [0, 1, 2, 3], bank: null, model: null };
  const partsOf = (stack: Stack, share: number) => stack.scoreBut(by, share).parts;
  const stack = new Stack();
  assert.deepEqual([0, 0.5, 1].map((share) => partsOf(stack, share)), [["blend"], ["blend", "model"], [
    "model",
  ]]);
  assert.deepEqual([0, 0.5, 1].map((share) => stack.partsBy(share)), [["blend"], ["blend", "model"], [
    "model",
  ]]);
  // Taken from lists that were shown: the head is better than the blend, which says nothing of the model.
  for (let n = 0; n < 1000; n++) stack.learn(by, 3, n, 1);
  assert.deepEqual(partsOf(stack, 1), ["model"]);
  for (let n = 0; n < 1000; n++) stack.learn({ ...by, model: [3, 2, 0, 1] }, 3, n, 1);
  assert.ok(partsOf(stack, 1).includes("head"), String(partsOf(stack, 1)));
});

Deno.test("Stack: says nothing of a part by lists on which it is not there", () => {
  const knows = (_: number, part: Part) => part === "blend" ? 0.4 : part === "head" ? 0.6 : null;
  const { stack } = play({ seed: 1, choices: 600, knows }, new Stack(["blend", "model"]));
  assert.deepEqual(stack.parts, ["blend", "head", "model"]);
});

Deno.test("Stack: a part that turns to noise leaves within 1,000 choices, one that says the opposite within 200", () => {
  const turning = (after: number) => (choice: number, part: Part) =>
    part === "blend" ? 0.5 : part === "head" ? (choice < 1500 ? 0.7 : after) : null;
  for (const [after, most] of [[0, 1000], [-0.7, 200]] as const) {
    for (let seed = 0; seed < 3; seed++) {
      const { changes } = play({ seed, choices: 1500 + most, knows: turning(after) });
      assert.equal(changes[0]?.[1], "blend+head");
      assert.ok(changes.some(([at, parts]) => at >= 1500 && parts === "blend"), `${after}: ${changes}`);
    }
  }
});

/** Streams that try a stack, and how far it may be behind its best part: Σ of reciprocal ranks. */
const STREAMS: Readonly<Record<string, { readonly behind: number } & Omit<StreamOptions, "seed">>> = {
  "each is best in turn": {
    choices: 4000,
    knows: (choice, part) => part === PARTS[Math.floor(choice / 1000) % 4] ? 0.7 : 0.2,
    behind: 0,
  },
  "the blend is best": {
    choices: 1500,
    knows: always({ blend: 0.7, head: 0.5, bank: 0, model: 0.3 }),
    behind: 8,
  },
  "the model alone is good": { choices: 1500, knows: always({ blend: 0, head: 0, model: 0.7 }), behind: 25 },
  "scores have heavy tails": {
    choices: 1500,
    knows: always({ blend: 0.5, model: 0.6 }),
    spoils: (scores, _, part) => {
      if (part === "model") scores.forEach((s, i) => scores[i] = Math.sign(s) * Math.expm1(3 * Math.abs(s)));
    },
    behind: 0,
  },
  "scores are huge, the same or none": {
    choices: 1500,
    knows: always({ blend: 0.6, head: 0.6, bank: 0.6, model: 0.6 }),
    spoils: (scores, choice, part) => {
      if (part === "head") scores.forEach((s, i) => scores[i] = s * 1e300);
      if (part === "bank") scores.fill(7);
      if (part === "model") {
        scores.forEach((s, i) => scores[i] = choice % 3 === 0 ? NaN : i % 5 === 0 ? Infinity : s);
      }
    },
    behind: 0,
  },
  "scores are good now, and nonsense then": {
    choices: 2000,
    knows: always({ blend: 0.6, model: 0.6 }),
    spoils: (scores, choice, part) => {
      if (part === "model" && choice >= 1000) {
        scores.forEach((_, i) => scores[i] = i % 2 === 0 ? NaN : -1e308 * i);
      }
    },
    behind: 8,
  },
  "one user makes nine of ten choices, and a part knows nothing of the others": {
    choices: 3000,
    knows: (choice, part) => part === "blend" ? 0.5 : part === "head" ? (choice % 10 === 0 ? 0 : 0.8) : null,
    user: (choice) => choice % 10 === 0 ? choice : 1,
    counts: (choice) => choice % 10 === 0,
    behind: 0,
  },
  "a part is there now and then": {
    choices: 2000,
    knows: (choice, part) => {
      return part === "blend" ? 0.4 : part === "head" ? (choice % 700 < 350 ? 0.7 : null) : null;
    },
    behind: 12,
  },
};

for (const [name, { behind, ...stream }] of Object.entries(STREAMS)) {
  Deno.test(`Stack: is never far behind its best part where ${name}`, () => {
    for (let seed = 0; seed < 2; seed++) {
      const { ranks, changes } = play({ seed, ...stream });
      const best = Math.max(...PARTS.map((part) => ranks[part]));
      assert.ok(
        ranks.stack >= best - behind,
        `${name}, ${seed}: ${ranks.stack.toFixed(1)} of ${best.toFixed(1)}: ${changes.join(" ")}`,
      );
    }
  });
}

Deno.test("Stack.decode() goes on as the one that was written, bit for bit", () => {
  const stream = { seed: 3, choices: 700, knows: always({ blend: 0.5, head: 0.6, model: 0.3 }) };
  const whole = play({ ...stream, user: (choice) => choice % 5 }).stack;
  const again = new Stack(["blend"]);
  again.decode(new ByteReader(bytesOf(whole)));
  assert.deepEqual(bytesOf(again), bytesOf(whole));
  const more = { ...stream, seed: 4, choices: 300 };
  assert.deepEqual(bytesOf(play(more, again).stack), bytesOf(play(more, whole).stack));
  assert.ok(bytesOf(whole).length < 20_000, String(bytesOf(whole).length));
});

Deno.test("Stack.scoreBut() and modelScores() add up to score(), whatever orders", () => {
  const { stack } = play({ seed: 1, choices: 400, knows: always({ blend: 0.5, model: 0.6 }) });
  assert.deepEqual(stack.parts, ["blend", "model"]);
  const by = { blend: [3, 2, 1, 0], head: null, bank: null, model: [0, 1, NaN, 2] };
  const { scores, modelWeight } = stack.scoreBut({ ...by, model: null }, 0.5);
  const said = stack.modelScores(by.model);
  stack.score(by).forEach((score, i) => {
    assert.ok(Math.abs(score - scores[i]! - modelWeight * said[i]!) < 1e-12);
  });
  assert.equal(stack.scoreBut({ ...by, model: null }, 0).modelWeight, 0);
});
