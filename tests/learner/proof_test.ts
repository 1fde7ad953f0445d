import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { numericNames } from "../../src/features/schema.ts";
import { Proof, type ProofOptions } from "../../src/learner/proof.ts";
import type { Sample } from "../../src/learner/sample.ts";
import { sigmoid } from "../../src/losses/logistic.ts";
import { mulberry32 } from "../../src/scorer/random.ts";
import { makeSamples, SCHEMA } from "./batches.ts";

const [TEMPLATE] = makeSamples(1, 1, 1);
const NUMERICS = numericNames(SCHEMA).length;
const LIST = 5;

/** A stream of lists: what is true, and what the model says, both beside the prior, in logits. */
interface World {
  /** Logit of the prior. */
  readonly rate: number;
  /** How far the model is from the prior; its deviation, and for all items. */
  readonly spread: number;
  readonly shift?: number;
  /** Share of that which is true: 1 = the model is right, 0 = the prior is, ½ = they are as good. */
  readonly truth: number;
  readonly users: number;
  /** Deviation of what a user feels like for 20 lists, which neither knows. */
  readonly mood?: number;
}

function lists({ rate, spread, shift = 0, truth, users, mood = 0 }: World, seed: number): () => Sample {
  const random = mulberry32(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const moods = new Map<number, { left: number; mood: number }>();
  return () => {
    const user = Math.floor(random() * users);
    const known = moods.get(user);
    const state = known === undefined || known.left === 0 ? { left: 20, mood: mood * normal() } : known;
    moods.set(user, state);
    state.left--;
    const rows = Array.from({ length: LIST }, (_, position) => {
      const apart = shift + spread * normal();
      const z = rate + truth * apart + state.mood;
      const numerics = new Float32Array(NUMERICS);
      numerics[0] = rate;
      const label: 0 | 1 = random() < sigmoid(z) ? 1 : 0;
      return { ...TEMPLATE!.rows[0]!, numerics, label, prediction: sigmoid(rate + apart), position };
    });
    return { ...TEMPLATE!, user: `u${user}`, rows };
  };
}

/** Judges rows in batches of 50. */
function judge(proof: Proof, next: () => Sample, rows: number): Proof {
  for (let n = 0; n < rows; n += 10 * LIST) proof.update(Array.from({ length: 10 }, next));
  return proof;
}

function after(rows: number, world: World, seed = 1, options?: ProofOptions): Proof {
  return judge(new Proof(options), lists(world, seed), rows);
}

const RATE = -2;
const to = ({ changes }: Proof) => changes.map(({ to }) => to);

Deno.test("Proof.update() gives a new model half a say, and all of it when it is right", () => {
  const proof = after(6000, { rate: RATE, spread: 1, truth: 1, users: 100 });
  assert.deepEqual(to(proof), ["mix", "model"]);
  assert.equal(proof.changes[0]?.rows, 300, "the first batch with 256 rows");
  assert.ok(proof.changes[1]!.rows < 3000);
  assert.equal(proof.share, 1);
});

Deno.test("Proof.update() takes the say of a model that is wrong and sure of it within a few hundred rows", () => {
  const proof = after(6000, { rate: RATE, spread: 2, truth: -0.3, users: 100 });
  assert.deepEqual(to(proof), ["mix", "prior"]);
  assert.ok(proof.changes[1]!.rows <= 900, `${proof.changes[1]!.rows} rows`);
});

Deno.test("Proof.update() takes a proved model back when it goes wrong, and gives it a say again, once each", () => {
  const good = { rate: RATE, spread: 1, truth: 1, users: 100 };
  const proof = after(8000, good);
  judge(proof, lists({ ...good, truth: -0.5 }, 2), 8000);
  assert.deepEqual(to(proof), ["mix", "model", "prior"]);
  judge(proof, lists(good, 3), 12_000);
  assert.equal(proof.share, 1);
  assert.ok(to(proof).length <= 5, to(proof).join());
});

Deno.test("Proof.update() proves nothing by the level alone, or by rare positives that have not come yet", () => {
  const low = after(3000, { rate: -5, spread: 0.3, shift: -3, truth: 0, users: 1000 }, 4);
  assert.notEqual(low.orderer, "model");
  // The prior is twice too high everywhere, which the model knows; it ranks by noise.
  const next = lists({ rate: RATE, spread: 0.05, shift: -0.7, truth: 1, users: 300 }, 5);
  const noisy = () => {
    const { rows, ...list } = next();
    return { ...list, rows: rows.map((row, n) => ({ ...row, prediction: rows[LIST - 1 - n]!.prediction })) };
  };
  assert.notEqual(judge(new Proof(), noisy, 10_000).orderer, "model");
});

/** Streams on which the model is exactly as good as the prior, which chance may take for better. */
const NULLS: Readonly<Record<string, World>> = {
  "many users": { rate: RATE, spread: 1, truth: 0.5, users: 1000 },
  "moods": { rate: RATE, spread: 1, truth: 0.5, users: 200, mood: 1 },
  "few users": { rate: RATE, spread: 1, truth: 0.5, users: 8, mood: 1 },
  "rare positives": { rate: -5, spread: 1, truth: 0.5, users: 1000 },
};

for (const [name, world] of Object.entries(NULLS)) {
  Deno.test(`Proof.update() takes a model that is no better for better at most as often as alpha says: ${name}`, () => {
    const runs = 24;
    let wrong = 0;
    for (let seed = 0; seed < runs; seed++) if (to(after(8000, world, seed)).includes("model")) wrong++;
    assert.ok(wrong <= 0.15 * runs, `${wrong} of ${runs}, alpha is 5 %`);
  });
}

Deno.test("Proof.encode() goes on as if there had been no break, wherever it comes", () => {
  const world = { rate: RATE, spread: 1, truth: 0.8, users: 40, mood: 0.5 };
  const bytes = (proof: Proof) => {
    const to = new ByteWriter(1 << 10);
    proof.encode(to);
    return to.toBytes();
  };
  for (const rows of [0, 250, 1000, 5300]) {
    const whole = after(rows, world, 7);
    const copy = new Proof();
    copy.decode(new ByteReader(bytes(whole)));
    assert.deepEqual(bytes(copy), bytes(whole));
    for (const proof of [whole, copy]) judge(proof, lists(world, 8), 6000);
    assert.deepEqual(bytes(copy), bytes(whole));
  }
  const broken = bytes(after(5300, world, 7)).fill(9, 0, 1);
  assert.throws(() => new Proof().decode(new ByteReader(broken)), SyntaxError);
});

Deno.test("new Proof() refuses an alpha that is no probability, and a negative count", () => {
  for (const options of [{ alpha: 0 }, { alpha: 1 }, { alpha: NaN }, { mixRows: -1 }]) {
    assert.throws(() => new Proof(options), RangeError);
  }
});
