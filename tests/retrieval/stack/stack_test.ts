/**
 * The laws of the stack, on simulated streams.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { PartScores } from "../../../src/retrieval/stack/part_scores.ts";
import { type Part, PARTS, Stack } from "../../../src/retrieval/stack/stack.ts";
import { hash32 } from "../../../src/draws/random.ts";
import { play, type StreamOptions } from "./streams.ts";

type Known = Partial<Record<Part, number>>;

const always = (known: Known) => (_: number, part: Part) => known[part] ?? null;

function bytesOf(stack: Stack): Uint8Array {
  const to = new ByteWriter();
  stack.encode(to);
  return to.toBytes();
}

/** Scores of a list by which the head is right and the blend wrong when place 3 is taken. */
const BY = { blend: [3, 2, 1, 0], head: [0, 1, 2, 3], bank: null, model: null };

Deno.test("Stack lets parts that are noise take over in 0 of 100 streams, at next to no cost", () => {
  let [blend, stack] = [0, 0];
  for (let seed = 0; seed < 100; seed++) {
    const { ranks, parts } = play({ seed, choices: 200, knows: always({ blend: 0.5, head: 0, bank: 0 }) });
    assert.ok(parts.every((names) => names.includes("blend")), `seed ${seed}`);
    blend += ranks.blend;
    stack += ranks.stack;
  }
  assert.ok(stack > 0.99 * blend, `${stack} of ${blend}`);
});

Deno.test("Stack orders the first list by the blend, whatever other parts say", () => {
  const { scores, parts } = new Stack().scoreBut({ ...BY, bank: [9, NaN, -9, 1e300] }, 0);
  assert.deepEqual(parts, ["blend"]);
  assert.deepEqual([...scores].sort((a, b) => b - a), [...scores]);
});

Deno.test("Stack scores with logits of the usual size, whichever parts there are", () => {
  const stack = new Stack();
  const begin = new Float64Array(4);
  new PartScores().map(BY.blend, begin);
  const { scores } = stack.scoreBut({ ...BY, head: null }, 0);
  for (const [i, score] of scores.entries()) assert.ok(Math.abs(score - begin[i]! / 2) < 1e-9, `${scores}`);
  const { scores: beside, modelWeight } = stack.scoreBut({ ...BY, head: null }, 0.5);
  for (const [i, score] of beside.entries()) assert.ok(Math.abs(score - begin[i]! / 4) < 1e-2, `${beside}`);
  assert.ok(Math.abs(modelWeight - 1 / 4) < 1e-2, `${modelWeight}`);
});

Deno.test("PartScores hardly moves its unit for one list with absurd scores, and soon leaves a tiny first unit", () => {
  const scores = new PartScores();
  const follow = (times: number, factor: number) => {
    for (let n = 0; n < times; n++) scores.follow([-2 * factor, -factor, 0, factor, 2 * factor], 1);
    return scores.unit;
  };
  const unit = follow(1000, 1);
  assert.ok(follow(1, 1e9) <= 1.1 * unit);
  const tiny = 1e-6;
  scores.unit = 0;
  assert.ok(Math.abs(follow(1000, tiny) - tiny * unit) < 1e-9);
  assert.ok(follow(500, 1) > unit / 4);
});

Deno.test("Stack lets a part that knows as much as the blend, and something else, order within 200 choices", () => {
  for (const part of ["head", "bank", "model"] as const) {
    for (let seed = 0; seed < 4; seed++) {
      const { parts } = play({ seed, choices: 200, knows: always({ blend: 0.5, [part]: 0.5 }) });
      assert.deepEqual(parts.at(-1), ["blend", part], `seed ${seed}`);
    }
  }
});

Deno.test("Stack begins with the model's share by the learner's proof, and keeps it while lists do not judge it", () => {
  const partsOf = (stack: Stack, share: number) => stack.scoreBut(BY, share).parts;
  const stack = new Stack();
  const first = [["blend"], ["blend", "model"], ["model"]];
  assert.deepEqual([0, 0.5, 1].map((share) => partsOf(stack, share)), first);
  const there = (share: number) => share > 0 ? ["blend", "model"] as const : ["blend"] as const;
  assert.deepEqual([0, 0.5, 1].map((share) => stack.partsOf(there(share), share)), first);
  // Lists that judge the head, but not the model.
  for (let n = 0; n < 1000; n++) stack.learn(BY, 3, n, 1);
  assert.deepEqual(partsOf(stack, 1), ["head", "model"]);
});

/** The share of each part in the order. */
function sharesOf(stack: Stack, modelShare: number): Readonly<Record<Part, number>> {
  const from = new ByteReader(bytesOf(stack));
  const units = new Map(Array.from({ length: from.count() }, () => [from.string(), from.f64()] as const));
  const says = (part: Part) => {
    const by = { blend: [0, 0, 0], head: [0, 0, 0], bank: [0, 0, 0], model: null, [part]: [1, 0, -1] };
    return stack.scoreBut(by, modelShare).scores[0]! / (5 * Math.asinh(1 / (5 * units.get(part)!)));
  };
  const model = stack.scoreBut({ ...BY, bank: [0, 0, 0, 0] }, modelShare).modelWeight;
  const [blend, head, bank] = [says("blend"), says("head"), says("bank")];
  const sum = blend + head + bank + model;
  return { blend: blend / sum, head: head / sum, bank: bank / sum, model: model / sum };
}

Deno.test("Stack keeps what head and bank have won when the model comes", () => {
  for (const winner of ["head", "bank"] as const) {
    const { stack } = play({
      seed: 1,
      choices: 600,
      knows: always({ blend: 0.4, head: 0.1, bank: 0.1, [winner]: 0.6 }),
    });
    const before = sharesOf(stack, 0);
    assert.ok(before[winner] > 0.3, JSON.stringify(before));
    for (const share of [0.5, 1]) {
      const now = sharesOf(stack, share);
      const least = (1 - now.model) * before[winner] - 0.02;
      assert.ok(now.model < 0.6 && now[winner] >= least, `${JSON.stringify(before)} ${JSON.stringify(now)}`);
    }
  }
});

Deno.test("Stack gives the model the part of the blend's share that the learner's proof says, however large", () => {
  const { stack } = play({ seed: 1, choices: 600, knows: always({ blend: 0.9, head: 0.3 }) });
  const before = sharesOf(stack, 0);
  for (const share of [0.5, 1]) {
    const now = sharesOf(stack, share);
    const what = `${JSON.stringify(before)} ${JSON.stringify(now)}`;
    assert.ok(Math.abs(now.model - share * before.blend) < 0.02, what);
    assert.ok(Math.abs(now.head - before.head) < 0.02, what);
  }
});

/** Streams that test a stack, and how far it may be behind its best part in the sum of reciprocal ranks. */
const STREAMS: Readonly<Record<string, { readonly behind: number } & Omit<StreamOptions, "seed">>> = {
  "each is best in turn": {
    choices: 4000,
    knows: (choice, part) => part === PARTS[Math.floor(choice / 1000) % 4] ? 0.7 : 0.2,
    behind: 0,
  },
  "the blend is best": {
    choices: 1500,
    knows: always({ blend: 0.7, head: 0.5, bank: 0, model: 0.3 }),
    behind: 0,
  },
  "the model alone is good": { choices: 1500, knows: always({ blend: 0, head: 0, model: 0.7 }), behind: 6 },
  "the model is noise for long": {
    choices: 2000,
    knows: (choice, part) => part === "blend" ? 0.5 : part === "model" ? (choice < 1000 ? 0 : 0.7) : null,
    counts: (choice) => choice >= 1000,
    behind: 12,
  },
  "a part turns to noise": {
    choices: 2500,
    knows: (choice, part) => part === "blend" ? 0.5 : part === "head" ? (choice < 1500 ? 0.7 : 0) : null,
    counts: (choice) => choice >= 1500,
    behind: 5,
  },
  "a part says the opposite from some choice on": {
    choices: 2000,
    knows: (choice, part) => part === "blend" ? 0.5 : part === "head" ? (choice < 1500 ? 0.7 : -0.7) : null,
    counts: (choice) => choice >= 1500,
    behind: 5,
  },
  // Only an order without the blend is right then; the others' weights come from 1,000 choices.
  "the blend turns to noise beside a bank": {
    choices: 2000,
    knows: (choice, part) => part === "blend" ? (choice < 1000 ? 0.7 : 0) : part === "bank" ? 0.5 : null,
    counts: (choice) => choice >= 1000,
    behind: 8,
  },
  "the blend says the opposite from some choice on, beside a head": {
    choices: 2000,
    knows: (choice, part) => part === "blend" ? (choice < 1000 ? 0.7 : -0.7) : part === "head" ? 0.5 : null,
    counts: (choice) => choice >= 1000,
    behind: 8,
  },
  "scores have heavy tails": {
    choices: 1500,
    knows: always({ blend: 0.5, model: 0.6 }),
    spoils: (scores, _, part) => {
      if (part === "model") scores.forEach((s, i) => scores[i] = Math.sign(s) * Math.expm1(3 * Math.abs(s)));
    },
    behind: 0,
  },
  "scores are huge, equal or missing": {
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
  "scores are good at first, and nonsense later": {
    choices: 2000,
    knows: always({ blend: 0.6, model: 0.6 }),
    spoils: (scores, choice, part) => {
      if (part === "model" && choice >= 1000) {
        scores.forEach((_, i) => scores[i] = i % 2 === 0 ? NaN : -1e308 * i);
      }
    },
    behind: 8,
  },
  "one user makes nine of ten choices, and a part knows nothing about the others": {
    choices: 3000,
    knows: (choice, part) => part === "blend" ? 0.5 : part === "head" ? (choice % 10 === 0 ? 0 : 0.8) : null,
    user: (choice) => choice % 10 === 0 ? choice : 1,
    counts: (choice) => choice % 10 === 0,
    behind: 8,
  },
  "a part comes and goes": {
    choices: 2000,
    knows: (choice, part) => {
      return part === "blend" ? 0.4 : part === "head" ? (choice % 700 < 350 ? 0.7 : null) : null;
    },
    behind: 12,
  },
};

for (const [name, { behind, ...stream }] of Object.entries(STREAMS)) {
  Deno.test(`Stack is never far behind its best part when ${name}`, () => {
    for (let seed = 0; seed < 2; seed++) {
      const { ranks } = play({ seed, ...stream });
      const best = Math.max(...PARTS.map((part) => ranks[part]));
      assert.ok(
        ranks.stack >= best - behind,
        `${name}, ${seed}: ${ranks.stack.toFixed(1)} of ${best.toFixed(1)}`,
      );
    }
  });
}

Deno.test("Stack.judgesModel() is true for each list if the model orders, and for one in eight if it is left out", () => {
  const judged = (stack: Stack, share: number) => {
    const lists = Array.from({ length: 4000 }, (_, n) => stack.judgesModel(["blend"], share, hash32(`${n}`)));
    return lists.filter(Boolean).length;
  };
  const { stack: useless } = play({ seed: 1, choices: 400, knows: always({ blend: 0.7, model: 0 }) });
  const { stack: useful } = play({ seed: 1, choices: 400, knows: always({ blend: 0.5, model: 0.5 }) });
  assert.deepEqual([judged(useful, 1 / 2), judged(useful, 0)], [4000, 0]);
  assert.ok(Math.abs(judged(useless, 1 / 2) - 500) < 80);
});

Deno.test("Stack.isDue() is true for the first thousand lists, then for one in four, independent of judgesModel()", () => {
  const { stack } = play({ seed: 1, choices: 999, knows: always({ blend: 0.7, model: 0 }) });
  const draws = Array.from({ length: 8000 }, (_, n) => hash32(`${n}`));
  const due = () => draws.filter((draw) => stack.isDue(draw));
  assert.deepEqual(due(), draws);
  stack.learn(BY, 3, 1);
  const judging = due().filter((draw) => stack.judgesModel(["blend"], 1 / 2, draw));
  assert.ok(Math.abs(due().length - 2000) < 160, `${due().length} due`);
  assert.ok(Math.abs(judging.length - 250) < 60, `${judging.length} judge the model`);
});

Deno.test("Stack keeps the orders of others through 4,000 choices of a robot that takes anything", () => {
  for (const winner of ["head", "bank"] as const) {
    const knows = always({ blend: 0.4, head: 0.1, bank: 0.1, [winner]: 0.6 });
    const { stack } = play({ seed: 5, choices: 2000, knows });
    const before = sharesOf(stack, 0);
    const anything = always({ blend: 0, head: 0, bank: 0 });
    play({ seed: 6, choices: 4000, knows: anything, user: () => 7, size: 100 }, stack);
    const after = sharesOf(stack, 0);
    const what = `${JSON.stringify(before)} ${JSON.stringify(after)}`;
    for (const part of PARTS) assert.ok(Math.abs(after[part] - before[part]) < 0.02, what);
  }
});

Deno.test("Stack.weightOf() is 1 for ordinary users, and keeps the busiest one to twice the mean of the others", () => {
  const weightAfter = (users: readonly number[], user: number) => {
    const stack = new Stack();
    for (const each of users) stack.learn(BY, 3, each);
    return stack.weightOf(user);
  };
  const times = (size: number, user: (n: number) => number) =>
    Array.from({ length: size }, (_, n) => user(n));
  assert.equal(weightAfter([], 1), 1);
  assert.equal(weightAfter(times(600, (n) => n), 7), 1, "everybody comes once");
  assert.equal(weightAfter(times(500, (n) => n % 25), 7), 1, "everybody comes often");
  assert.equal(
    weightAfter(times(500, (n) => Math.floor(n / 50)), 9),
    1,
    "one after the other, for fifty films each",
  );
  const robot = times(1000, (n) => n % 10 === 0 ? n : 1);
  const [weight, others] = [weightAfter(robot, 1), weightAfter(robot, 990)];
  assert.ok(460 * weight < 2.1 && weight > 0, `${weight}`);
  assert.equal(others, 1);
});

Deno.test("Stack.decode() continues as the original does, bit for bit", () => {
  const stream = { seed: 3, choices: 700, knows: always({ blend: 0.5, head: 0.6, model: 0.3 }) };
  const whole = play({ ...stream, user: (choice) => choice % 5 }).stack;
  const again = new Stack();
  again.decode(new ByteReader(bytesOf(whole)));
  assert.deepEqual(bytesOf(again), bytesOf(whole));
  const more = { ...stream, seed: 4, choices: 300 };
  assert.deepEqual(bytesOf(play(more, again).stack), bytesOf(play(more, whole).stack));
  assert.ok(bytesOf(whole).length < 20_000, String(bytesOf(whole).length));
});
