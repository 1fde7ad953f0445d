import assert from "node:assert/strict";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import { PRIOR_NUMERIC } from "../../src/features/schema.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { Rows } from "../../src/samples/rows.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Proof, type ProofOptions } from "../../src/learner/proof.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { changesOf, judgeLists } from "./proof_definition.ts";
import { LIST, NO_BETTER, proofLists, type ProofStream } from "./proof_streams.ts";

/** Judges rows in batches of 50. */
function judge(proof: Proof, next: () => Sample, rows: number): Proof {
  for (let n = 0; n < rows;) {
    const batch: Sample[] = [];
    for (let taken = 0; taken < 10 * LIST; taken += batch.at(-1)!.rows.length) batch.push(next());
    n += batch.reduce((sum, list) => sum + list.rows.length, 0);
    proof.update(batch);
  }
  return proof;
}

function after(rows: number, world: ProofStream, seed = 1, options?: ProofOptions): Proof {
  return judge(new Proof(options), proofLists(world, seed), rows);
}

const RATE = -2;
const to = ({ changes }: Proof) => changes.map(({ to }) => to);

Deno.test("Proof.update() mixes a new model in, and lets it order alone once it is proved", () => {
  const proof = after(6000, { rate: RATE, spread: 1, truth: 1, users: 100 });
  assert.deepEqual(to(proof), ["mix", "model"]);
  assert.equal(proof.changes[0]?.rows, 100, "the batch with the 64th row");
  assert.ok(proof.changes[1]!.rows < 3000);
  assert.equal(proof.share, 1);
});

Deno.test("Proof.update() mixes after mixRows, without waiting for a look at the evidence", () => {
  for (const [mixRows, rows] of [[1, 50], [120, 150], [300, 300]] as const) {
    const proof = after(400, { rate: RATE, spread: 1, truth: 1, users: 100 }, 1, { mixRows });
    assert.deepEqual(proof.changes, [{ to: "mix", rows }]);
  }
});

Deno.test("Proof.update() returns to the prior within 900 rows when the model is confidently wrong", () => {
  const proof = after(6000, { rate: RATE, spread: 2, truth: -0.3, users: 100 });
  assert.deepEqual(to(proof), ["mix", "prior"]);
  assert.ok(proof.changes[1]!.rows <= 900, `${proof.changes[1]!.rows} rows`);
});

Deno.test("Proof.update() returns to the prior when a proved model goes wrong, and proves it again later", () => {
  const good = { rate: RATE, spread: 1, truth: 1, users: 100 };
  const proof = after(8000, good);
  judge(proof, proofLists({ ...good, truth: -0.5 }, 2), 8000);
  assert.deepEqual(to(proof), ["mix", "model", "prior"]);
  judge(proof, proofLists(good, 3), 12_000);
  assert.equal(proof.share, 1);
  assert.ok(to(proof).length <= 5, to(proof).join());
});

Deno.test("Proof.update() proves no model by its level alone, or by a lack of rare positives so far", () => {
  const low = after(3000, { rate: -5, spread: 0.3, shift: -3, truth: 0, users: 1000 }, 4);
  assert.notEqual(low.orderer, "model");
  // The prior is twice too high everywhere, which the model knows, but it ranks by noise.
  const next = proofLists({ rate: RATE, spread: 0.05, shift: -0.7, truth: 1, users: 300 }, 5);
  const noisy = () => {
    const { rows, ...list } = next();
    return {
      ...list,
      rows: Rows.of(rows.map((row, n) => ({ ...row, prediction: rows.prediction(LIST - 1 - n) }))),
    };
  };
  assert.notEqual(judge(new Proof(), noisy, 10_000).orderer, "model");
});

Deno.test("Proof.update() proves no model that knows who clicks a lot, or when, but orders by noise", () => {
  const LEVELS: Readonly<Record<string, (user: number, rows: number) => number>> = {
    "who": (user) => 1.5 * Math.sin(user),
    "when": (_, rows) => 0.8 * Math.sin(rows / 600),
  };
  for (const [what, levelOf] of Object.entries(LEVELS)) {
    const random = createRandom(9);
    const next = proofLists({ rate: RATE, spread: 0, truth: 0, users: 200 }, 5);
    let judged = 0;
    const proof = judge(new Proof(), () => {
      const { rows, ...list } = next();
      const level = levelOf(Number(list.user.slice(1)), judged += LIST);
      // The prior has the order of the list right.
      return {
        ...list,
        rows: Rows.of(rows.map((row) => {
          const prior = RATE + 0.7 * normal(random);
          const numerics = row.numerics.slice();
          numerics[PRIOR_NUMERIC] = prior;
          const label = random() < sigmoid(prior + level) ? 1 as const : 0 as const;
          return { ...row, numerics, label, prediction: sigmoid(prior + level + 0.3 * normal(random)) };
        })),
      };
    }, 16_000);
    assert.notEqual(proof.orderer, "model", what);
  }
});

// tests/bench/proof.ts runs all streams, and more often.
for (
  const name of [
    "equally right",
    "equally right, users with moods",
    "equally right, 8 users with moods",
    "lists of 50 that share opinions and luck",
    "positives 0.7 %",
  ]
) {
  Deno.test(`Proof.update() proves a model that is no better at most as often as alpha allows: ${name}`, () => {
    const runs = 12;
    let wrong = 0;
    for (let seed = 0; seed < runs; seed++) {
      if (to(after(8000, NO_BETTER[name]!, seed)).includes("model")) wrong++;
    }
    assert.ok(wrong <= 0.15 * runs, `${wrong} of ${runs}, alpha is 5 %`);
  });
}

/** A model that is right, then wrong, then right; lists of 1 to 6 rows at any position, some of users who come often. */
function variedBatches(seed: number, batches: number, over: Partial<ProofStream> = {}): Sample[][] {
  const random = createRandom(seed);
  const worlds = [1, -0.6, 1].map((truth, n) =>
    proofLists(
      { rate: RATE, known: 0.5, spread: 1, truth, users: 400, skew: 1, list: 6, ...over },
      10 * seed + n,
    )
  );
  return Array.from({ length: batches }, (_, b) => {
    const next = worlds[Math.floor(worlds.length * b / batches)]!;
    return Array.from({ length: 8 }, () => {
      const { rows, ...list } = next();
      const sure = random() < 0.002 ? 1 : undefined;
      const from = random() < 0.1 ? 40 + Math.floor(12 * random()) : -Math.floor(2 * random());
      const some = [...rows].slice(0, 1 + Math.floor(6 * random()));
      return {
        ...list,
        rows: Rows.of(
          some.map((row, n) => ({ ...row, position: from + n, prediction: sure ?? row.prediction })),
        ),
      };
    });
  });
}

Deno.test("Proof.update() decides as the definition does, which computes all evidence afresh", () => {
  const met = new Set<string>();
  for (const seed of [1, 2]) {
    const batches = variedBatches(seed, 500);
    const judged = judgeLists(batches);
    for (const mixRows of [0, 64, 1e9]) {
      for (const alpha of [0.9, 0.05, 1e-4]) {
        const proof = new Proof({ alpha, mixRows });
        for (const batch of batches) proof.update(batch);
        assert.deepEqual(proof.changes, changesOf(judged, alpha, mixRows), `${seed}, ${mixRows}, ${alpha}`);
        for (const change of to(proof)) met.add(change);
      }
    }
  }
  assert.deepEqual([...met].sort(), ["mix", "model", "prior"]);
});

Deno.test("Proof.update() needs exactly the evidence that alpha demands", () => {
  // With lists of one row, predictions imply a larger variance than is observed.
  for (const [seed, over] of [{}, { rate: 0 }, { list: 1, users: 4000 }].entries()) {
    const batches = variedBatches(seed, 900, over).slice(0, "list" in over ? 270 : 90);
    const judged = judgeLists(batches);
    const decide = (alpha: number) => JSON.stringify(changesOf(judged, alpha, 64));
    let [low, high] = [1e-9, 0.9];
    const few = decide(low);
    assert.notEqual(few, decide(high), `${seed}`);
    while (high / low > 1 + 1e-9) {
      const alpha = Math.sqrt(low * high);
      if (decide(alpha) === few) low = alpha;
      else high = alpha;
    }
    for (const alpha of [low, high]) {
      const proof = new Proof({ alpha });
      for (const batch of batches) proof.update(batch);
      assert.equal(JSON.stringify(proof.changes), decide(alpha), `${seed}: ${alpha}`);
    }
  }
});

Deno.test("Proof.changes keeps the newest 64", () => {
  const proof = new Proof({ alpha: 0.9, mixRows: 0 });
  for (let turns = 0; turns < 70; turns++) {
    const [seed, before] = [turns, proof.changes.at(-1)];
    const next = proofLists({ rate: 0, spread: 4, truth: proof.share === 1 ? -1 : 1, users: 1000 }, seed);
    while (proof.changes.at(-1) === before) judge(proof, next, 50);
    assert.equal(proof.changes.length, Math.min(turns + 1, 64));
  }
});

Deno.test("Proof.decode() continues where encode() was called, at any row, and refuses other formats", () => {
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
    for (const proof of [whole, copy]) judge(proof, proofLists(world, 8), 6000);
    assert.deepEqual(bytes(copy), bytes(whole));
  }
  const broken = bytes(after(5300, world, 7)).fill(9, 0, 1);
  assert.throws(() => new Proof().decode(new ByteReader(broken)), SyntaxError);
});

Deno.test("new Proof() refuses an alpha that is not between 0 and 1, and a negative count", () => {
  for (const options of [{ alpha: 0 }, { alpha: 1 }, { alpha: NaN }, { mixRows: -1 }]) {
    assert.throws(() => new Proof(options), RangeError);
  }
});
