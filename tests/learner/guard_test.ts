import assert from "node:assert/strict";
import { Rows } from "../../src/samples/rows.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Guard, type GuardAction, type GuardOptions } from "../../src/learner/guard/guard.ts";
import { type Block, blockOf, ROWS } from "../../src/learner/guard/guard_block.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { correlatedVariance, type Series, skewness } from "../../src/learner/guard/series.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { makeSamples } from "./batches.ts";
import { CLEAN, guardBatches } from "./guard_streams.ts";

const OPTIONS: GuardOptions = {
  windowRows: 320,
  referenceRows: 1280,
  warmUpRows: 640,
  patienceRows: 1600,
};

/** How a batch of 8 samples of 4 rows was served. */
interface Served {
  /** Whether predictions are the true probabilities, their complements, far too high, or all the same. */
  readonly how: "well" | "upside down" | "too high" | "flat";
  readonly version?: number;
  readonly user?: string;
}

/** Batches of rows that are positive with probability 0.7 or 0.1, and predicted like that. */
function batchMaker(seed: number): (served: Served) => Sample[] {
  const random = mulberry32(seed);
  const template = makeSamples(8, seed);
  return ({ how, version = 1, user }) =>
    template.map((sample, s) => ({
      ...sample,
      user: user ?? `u${s}`,
      version,
      rows: Rows.of(sample.rows.map((row) => {
        const p = random() < 0.4 ? 0.7 : 0.1;
        const label = random() < p ? 1 : 0;
        const prediction = { "well": p, "upside down": 1 - p, "too high": 0.95, "flat": 0.34 }[how];
        return { ...row, label, prediction, offset: Math.log(0.34 / 0.66) };
      })),
    }));
}

const GOOD_LOSS = 0.44;

/** A series of values of weight 1. */
function evenly(values: Float64Array): Series {
  return { values, weights: new Float64Array(values.length).fill(1) };
}

/** The actions over `count` batches. */
function feed(
  guard: Guard,
  make: (served: Served) => Sample[],
  count: number,
  served: Served,
  logLoss = GOOD_LOSS,
): GuardAction[] {
  return Array.from({ length: count }, () => guard.update(make(served), logLoss, served.version ?? 1));
}

const healths = (guard: Guard) => guard.changes.map(({ to }) => to);

// About one in a hundred streams has a false alarm, so the seeds are fixed.
Deno.test("Guard.update() publishes every batch of twenty healthy streams", () => {
  for (let seed = 0; seed < 20; seed++) {
    const guard = new Guard(OPTIONS);
    const actions = feed(guard, batchMaker(seed), 200, { how: "well" });
    assert.ok(actions.every((action) => action === "publish"), `seed ${seed}`);
  }
});

Deno.test("Guard.update() publishes every batch before it has warmed up", () => {
  const guard = new Guard(OPTIONS);
  assert.ok(feed(guard, batchMaker(1), 19, { how: "upside down" }).every((action) => action === "publish"));
});

for (const how of ["upside down", "too high"] as const) {
  Deno.test(`Guard.update() holds the first batch that was served ${how}, then rolls back and recovers`, () => {
    const guard = new Guard(OPTIONS);
    const make = batchMaker(2);
    feed(guard, make, 60, { how: "well" });
    const actions = feed(guard, make, 4, { how });
    assert.ok(actions.slice(0, 3).every((action) => action === "hold"), String(actions));
    assert.equal(actions[3], "roll back");
    assert.equal(guard.publishes, false);
    // Still in flight: judged, but not held against the version that is served now.
    assert.ok(feed(guard, make, 30, { how, version: 1 }).every((action) => action === "hold"));
    const back = feed(guard, make, 10, { how: "well", version: 2 }, GOOD_LOSS + 1);
    assert.deepEqual(back.slice(-1), ["restart"], "what was learnt meanwhile is worse");
    feed(guard, make, 10, { how: "well", version: 11 });
    assert.deepEqual(healths(guard), ["suspect", "rolled back", "recovering", "healthy"]);
  });
}

Deno.test("Guard.update() forgives a dip that does not last", () => {
  const guard = new Guard(OPTIONS);
  const make = batchMaker(3);
  feed(guard, make, 60, { how: "well" });
  assert.deepEqual(feed(guard, make, 1, { how: "upside down" }), ["hold"]);
  const actions = feed(guard, make, 12, { how: "well" }, GOOD_LOSS - 1);
  assert.equal(actions.at(-1), "publish");
  assert.deepEqual(healths(guard), ["suspect", "healthy"]);
});

Deno.test("Guard.update() adopts a lasting change once its patience is over", () => {
  const guard = new Guard(OPTIONS);
  const make = batchMaker(4);
  feed(guard, make, 60, { how: "well" });
  feed(guard, make, 4, { how: "upside down" });
  const actions = feed(guard, make, 50, { how: "upside down", version: 2 }, GOOD_LOSS);
  assert.ok(actions.slice(0, 49).every((action) => action === "hold"));
  assert.equal(actions[49], "adopt");
  assert.deepEqual(guard.changes.at(-1), {
    to: "recovering",
    reason: "patience",
    rows: 32 * 114,
    version: 2,
  });
  feed(guard, make, 10, { how: "well", version: 3 });
  assert.equal(guard.health, "healthy");
});

Deno.test("Guard.update() judges batches after an adopted change by that change, not by the time before", () => {
  const guard = new Guard(OPTIONS);
  const make = batchMaker(10);
  feed(guard, make, 60, { how: "well" });
  assert.deepEqual(feed(guard, make, 4, { how: "flat" }).at(-1), "roll back");
  assert.equal(feed(guard, make, 50, { how: "flat", version: 2 }).at(-1), "adopt");
  assert.ok(feed(guard, make, 40, { how: "flat", version: 3 }).every((action) => action === "publish"));
  assert.equal(guard.health, "healthy");
});

Deno.test("Guard.update() rolls back again at once when figures leave the band during a recovery", () => {
  const guard = new Guard(OPTIONS);
  const make = batchMaker(11);
  feed(guard, make, 60, { how: "well" });
  feed(guard, make, 4, { how: "upside down" });
  feed(guard, make, 10, { how: "well", version: 2 });
  assert.equal(guard.health, "recovering");
  assert.deepEqual(feed(guard, make, 3, { how: "well", version: 3 }), ["publish", "publish", "publish"]);
  assert.deepEqual(feed(guard, make, 3, { how: "upside down", version: 3 }), [
    "publish",
    "roll back",
    "hold",
  ]);
  assert.equal(guard.health, "rolled back");
});

Deno.test("Guard.update() is not fooled by one user who has most of the rows", () => {
  const guard = new Guard(OPTIONS);
  const make = batchMaker(5);
  feed(guard, make, 60, { how: "well" });
  const mixed = () => [
    ...Array.from({ length: 6 }, () => make({ how: "well", user: "robot" })).flat(),
    ...make({ how: "upside down" }),
  ];
  assert.equal(guard.update(mixed(), GOOD_LOSS, 1), "hold");
});

Deno.test("Guard.decode() continues as if uninterrupted, at any batch", () => {
  const plan: Served[] = [
    ...Array.from({ length: 40 }, (): Served => ({ how: "well" })),
    ...Array.from({ length: 10 }, (): Served => ({ how: "upside down" })),
    ...Array.from({ length: 40 }, (): Served => ({ how: "well", version: 2 })),
  ];
  const run = (stop: number) => {
    let guard = new Guard(OPTIONS);
    const make = batchMaker(6);
    const actions = plan.map((served, b) => {
      if (b === stop) {
        const to = new ByteWriter();
        guard.encode(to);
        guard = new Guard(OPTIONS);
        guard.decode(new ByteReader(to.toBytes()));
      }
      return guard.update(make(served), GOOD_LOSS, served.version ?? 1);
    });
    return { actions, changes: guard.changes };
  };
  const want = run(-1);
  assert.ok(want.changes.length > 2);
  for (let stop = 0; stop < plan.length; stop += 3) assert.deepEqual(run(stop), want, `stopped at ${stop}`);
});

Deno.test("Guard.encode() ends with just the batches that fill the window, and the reference before it", () => {
  const make = batchMaker(6);
  const [windowRows, referenceRows] = [321, 1281];
  const guard = new Guard({ ...OPTIONS, windowRows, referenceRows });
  const blocks: Block[] = [];
  /** As few of the newest blocks as have so many rows. */
  const filling = (some: readonly Block[], rows: number) => {
    let from = some.length;
    const sum = () => some.slice(from).reduce((sum, block) => sum + block[ROWS]!, 0);
    while (from > 0 && sum() < rows) from--;
    return some.slice(from);
  };
  for (let batch = 0; batch < 200; batch++) {
    const samples = make({ how: "well" }).slice(0, batch % 7 === 0 ? 8 : 1 + batch % 3);
    assert.equal(guard.update(samples, GOOD_LOSS, 1), "publish");
    blocks.push(blockOf(samples, GOOD_LOSS));
    const recent = filling(blocks, windowRows);
    const reference = filling(blocks.slice(0, -recent.length), referenceRows);
    const to = new ByteWriter();
    guard.encode(to);
    const want = new ByteWriter();
    for (const window of [recent, reference]) want.uint(window.length).f64s(Float64Array.from(window.flat()));
    assert.ok(to.toBytes().toHex().endsWith(want.toBytes().toHex()), `after batch ${batch}`);
  }
});

Deno.test("Guard.update() of a batch without rows changes no state", () => {
  const make = batchMaker(7);
  const guard = new Guard(OPTIONS);
  const bytes = () => {
    const to = new ByteWriter();
    guard.encode(to);
    return to.toBytes();
  };
  for (
    const [batches, how, action] of [[0, "well", "publish"], [60, "well", "publish"], [
      4,
      "upside down",
      "hold",
    ]] as const
  ) {
    feed(guard, make, batches, { how });
    const before = bytes();
    assert.equal(guard.update([], GOOD_LOSS, 1), action);
    assert.equal(guard.update([{ ...make({ how })[0]!, rows: Rows.of([]) }], GOOD_LOSS, 1), action);
    assert.deepEqual(bytes(), before);
  }
});

Deno.test("Guard.update() needs at least eight batches to act without a reference", () => {
  const guard = new Guard({ ...OPTIONS, warmUpRows: 1, windowRows: 8 * 32 });
  assert.deepEqual(feed(guard, batchMaker(9), 8, { how: "upside down" }), [
    ...new Array<GuardAction>(7).fill("publish"),
    "hold",
  ]);
});

Deno.test("Guard.changes keeps the newest 256, also over encode() and decode()", () => {
  const guard = new Guard(OPTIONS);
  const make = batchMaker(8);
  feed(guard, make, 60, { how: "well" });
  let changes = 0;
  while (changes < 300) {
    const before = guard.changes.at(-1);
    const [how, version] = guard.health === "healthy"
      ? ["upside down" as const, changes]
      : ["well" as const, changes + 1];
    guard.update(make({ how, version }), GOOD_LOSS, version);
    if (guard.changes.at(-1) === before) continue;
    changes++;
    assert.equal(guard.changes.length, Math.min(changes, 256));
  }
  const to = new ByteWriter();
  guard.encode(to);
  const restored = new Guard(OPTIONS);
  restored.decode(new ByteReader(to.toBytes()));
  assert.deepEqual(restored.changes, guard.changes);
});

Deno.test("Guard() refuses options that are not above 0", () => {
  for (const options of [{ margin: 0 }, { windowRows: -1 }, { confidence: NaN }]) {
    assert.throws(() => new Guard(options), RangeError, JSON.stringify(options));
  }
});

Deno.test("correlatedVariance() is the plain variance of independent values, and larger for a slow wave", () => {
  const random = mulberry32(7);
  const noise = Float64Array.from({ length: 4000 }, () => random() - 0.5);
  assert.ok(Math.abs(correlatedVariance(evenly(noise)) * 12 - 1) < 0.1);
  const wave = Float64Array.from({ length: 4000 }, (_, i) => Math.sin(i / 10));
  assert.ok(correlatedVariance(evenly(wave)) > 5);
  assert.equal(correlatedVariance(evenly(new Float64Array(9))), 0);
});

Deno.test("skewness() is 1 / √mean for Poisson counts, and changes sign with the values", () => {
  const random = mulberry32(8);
  const counts = Float64Array.from({ length: 20_000 }, () => {
    let count = 0;
    for (let product = random(); product > Math.exp(-4); product *= random()) count++;
    return count;
  });
  assert.ok(Math.abs(skewness(evenly(counts)) - 0.5) < 0.06, `${skewness(evenly(counts))}`);
  assert.ok(Math.abs(skewness(evenly(counts.map((count) => -count))) + skewness(evenly(counts))) < 1e-12);
  assert.equal(skewness(evenly(new Float64Array(9))), 0);
});

Deno.test("Guard.update() holds no batch of clean streams, even where users come one after another", () => {
  // Were the newest batch tested with all of its users, one in an odd mood would hold 16 batches from row 113,408 on.
  for (const [name, stream] of Object.entries(CLEAN)) {
    const guard = new Guard();
    let rows = 0;
    for (const batch of guardBatches(stream, 1)) {
      if (rows >= 120_000) break;
      guard.update(batch, 0, 1);
      rows += batch.length * stream.list;
    }
    assert.deepEqual(guard.changes, [], name);
  }
});

Deno.test("Guard.update() holds a batch within 1,000 rows of flipped labels, in streams of every kind", () => {
  for (const [name, stream] of Object.entries(CLEAN)) {
    for (const seed of [1, 2, 3]) {
      const guard = new Guard();
      let rows = 0;
      let action: GuardAction = "publish";
      for (const batch of guardBatches(stream, seed, (row) => row >= 20_000)) {
        action = guard.update(batch, 0, 1);
        rows += batch.length * stream.list;
        if (action !== "publish" || rows > 21_000) break;
      }
      assert.equal(action, "hold", name);
      assert.ok(rows >= 20_000, `${name}: a false alarm at row ${rows}`);
    }
  }
});

/** Probability of `k` or more of `n` with probability `p` each. */
function upperTail(k: number, n: number, p: number): number {
  let [mass, sum] = [(1 - p) ** n, 0];
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += mass;
    mass *= (n - i) / (i + 1) * p / (1 - p);
  }
  return sum;
}

/** 64 users with one row each; prior and model predict `p` for all, and some click. */
function batchOf(p: number, clicks: number): Sample[] {
  const [template] = makeSamples(1, 1, 1);
  return Array.from({ length: 64 }, (_, u) => ({
    ...template!,
    user: `u${u}`,
    rows: Rows.of([{
      ...template!.rows.at(0),
      label: u < clicks ? 1 : 0,
      prediction: p,
      offset: Math.log(p / (1 - p)),
    }]),
  }));
}

Deno.test("Guard.update() has at most one false alarm in a hundred million rows, however rare positives are", () => {
  for (const p of [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 0.7]) {
    const sound = new Guard();
    for (let batch = 0, due = 0; batch < 160; batch++) {
      due += 64 * p;
      const clicks = Math.floor(due);
      due -= clicks;
      assert.equal(sound.update(batchOf(p, clicks), 0, 1), "publish");
    }
    const bytes = new ByteWriter();
    sound.encode(bytes);
    let perBatch = 0;
    // More clicks than rows never come. A window of one, four or sixteen batches ends with each batch.
    for (const batches of [1, 4, 16]) {
      const holds = (clicks: number) => {
        const guard = new Guard();
        guard.decode(new ByteReader(bytes.toBytes()));
        return Array.from({ length: batches }, (_, b) => Math.floor((clicks + b) / batches))
          .some((own) => guard.update(batchOf(p, own), 0, 1) === "hold");
      };
      let [few, many] = [Math.floor(64 * batches * p), 64 * batches + 1];
      while (many - few > 1) {
        const clicks = (few + many) >> 1;
        if (holds(clicks)) many = clicks;
        else few = clicks;
      }
      perBatch += upperTail(many, 64 * batches, p);
    }
    assert.ok(perBatch < 64 / 1e8, `${p}: ${perBatch * 1e6 / 64} per million rows`);
  }
});
