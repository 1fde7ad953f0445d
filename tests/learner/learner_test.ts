import assert from "node:assert/strict";
import fc from "fast-check";
import { type Row, Rows } from "../../src/samples/rows.ts";
import type { Learner } from "../../src/learner/learner.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { encodeVersion } from "../../src/serving/version.ts";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { times } from "../../src/values/times.ts";
import { batches, makeLearner, makeSamples, WIDTH } from "./batches.ts";

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

for (const model of MODEL_NAMES) {
  for (const optimiser of ["adagrad", "adam"] as const) {
    Deno.test(`Learner.learn() of ${model} with ${optimiser} lowers the loss on a learnable task`, () => {
      const learner = makeLearner(model, { optimiser });
      const results = batches(makeSamples(800)).map((batch) => learner.learn(batch));
      const losses = results.map(({ loss }) => loss);
      const [early, late] = [mean(losses.slice(0, 10)), mean(losses.slice(-20))];
      assert.ok(late < early - 0.06, `mean loss ${early} at first, ${late} at last`);
      assert.ok(results.every(({ usable, rows }) => usable && rows === 32));
      assert.equal(learner.steps, 100);
    });
  }

  Deno.test(`Learner.decode() of ${model} continues bit for bit from any batch`, () => {
    const parts = batches(makeSamples(96, 2));
    const whole = makeLearner(model, { admitAfter: 2 });
    const states = [whole.encode()];
    const versions: Uint8Array[] = [];
    for (const [b, batch] of parts.entries()) {
      whole.learn(batch);
      if (b === 4) whole.forget("u1");
      versions.push(encodeVersion(whole.version("delta", b + 1)));
      states.push(whole.encode());
    }
    for (const from of [0, 1, 5, 11]) {
      const other = makeLearner(model, { admitAfter: 2 });
      other.learn(makeSamples(3, 99)); // Must leave no trace.
      other.decode(states[from] ?? new Uint8Array(0));
      for (const [b, batch] of [...parts.entries()].slice(from)) {
        other.learn(batch);
        if (b === 4) other.forget("u1");
        assert.deepEqual(
          encodeVersion(other.version("delta", b + 1)),
          versions[b],
          `version ${b} from ${from}`,
        );
        assert.deepEqual(other.encode(), states[b + 1], `state ${b} from ${from}`);
      }
    }
  });
}

Deno.test("Learner.learn() steps to posterior means for kinds with a deviation, and by Adagrad for others", () => {
  const weight = (learner: Learner, name: string, key: string) => {
    const table = learner.tables.get(`first:${name}`);
    const out = new Float32Array(1);
    table?.copyRow(table.lookup(key), out, 0);
    return out[0] ?? NaN;
  };
  const [sample] = makeSamples(1, 5, 1);
  const row = sample?.rows.at(0);
  assert.ok(sample && row);
  const learner = makeLearner("base", {
    deviations: { item: 0.5, field: 0.1 },
    firstOrderLearningRate: 0.05,
  });
  const { logLoss } = learner.learn([sample]);
  // ∂loss/∂z from the loss: p − y, with loss = −ln p or −ln(1 − p).
  const g = row.label === 1 ? Math.exp(-logLoss) - 1 : 1 - Math.exp(-logLoss);
  // The weight of priors and squares halves every 8,000 steps.
  const kept = 2 ** (-1 / 8000);
  const mean = (deviation: number) => -g / (kept * deviation ** -2 + g * g);
  assert.ok(Math.abs(weight(learner, "item", row.item) - mean(0.5)) < 1e-6);
  assert.ok(Math.abs(weight(learner, "item:band", row.fields[0] ?? "") - mean(0.1)) < 1e-6);
  assert.ok(
    Math.abs(weight(learner, "user", sample.user) - -0.05 * g / Math.sqrt(kept * 0.1 + g * g)) < 1e-6,
  );
});

Deno.test("Learner.learn() is deterministic for a seed, and differs between seeds", () => {
  const run = (seed: number) => {
    const learner = makeLearner("dien", { seed });
    for (const batch of batches(makeSamples(40))) learner.learn(batch);
    return learner.encode();
  };
  assert.deepEqual(run(1), run(1));
  assert.notDeepEqual(run(1), run(2));
});

Deno.test("Learner.learn() lowers DIEN's auxiliary loss, and has none with auxWeight 0", () => {
  const learner = makeLearner("dien", { auxWeight: 1, learningRate: 0.1 });
  const aux = batches(makeSamples(2800, 5)).map((batch) => learner.learn(batch).aux);
  const [early, late] = [mean(aux.slice(2, 50)), mean(aux.slice(-50))];
  assert.ok(late < 0.9 * early, `mean auxiliary loss ${early} at first, ${late} at last`);
  const without = makeLearner("dien", { auxWeight: 0 });
  assert.ok(batches(makeSamples(40)).every((batch) => without.learn(batch).aux === 0));
});

Deno.test("Learner.learn() changes no weight when no row of a batch is kept", () => {
  const [learner, untouched] = [1, 2].map(() => makeLearner("dien", { negativeRate: 1e-9 }));
  const unclicked = makeSamples(40).map((sample) => {
    const { rows } = sample;
    return { ...sample, rows: rows.pick(times(rows.length, Number).filter((row) => rows.label(row) === 0)) };
  });
  for (const batch of batches(unclicked)) {
    const { rows, aux, usable } = learner!.learn(batch);
    assert.deepEqual({ rows, aux, usable }, { rows: 0, aux: 0, usable: true });
  }
  assert.deepEqual(learner!.model.parameters.values, untouched!.model.parameters.values);
});

Deno.test("Learner.learn() refuses samples without a list, which 0.2.0 wrote, and names learnHistories", () => {
  const [sample] = makeSamples(1);
  const history = { ...sample!, request: "", purpose: "learn" as const, rows: sample!.rows.pick([]) };
  const written = decodeSample(encodeSample(history));
  assert.throws(
    () => makeLearner("dien").learn([written]),
    /learnHistories, which made it, was removed; rebuild/,
  );
});

Deno.test("Learner.forget() removes the user's rows, and the next delta says so", () => {
  const learner = makeLearner("base");
  learner.learn(makeSamples(40));
  learner.version("full", 1);
  const user = learner.tables.get("user");
  const before = user?.lookup("u1") ?? 1;
  assert.notEqual(before, 1);
  learner.forget("u1");
  learner.forget("nobody");
  assert.equal(user?.lookup("u1"), 1);
  assert.equal(learner.tables.get("first:user")?.lookup("u1"), 1);
  for (const [name, bytes] of learner.version("delta", 2).tables) {
    const named = new TextDecoder().decode(bytes).includes("u1");
    assert.equal(named, name === "user" || name === "first:user", name);
  }
});

Deno.test("Learner.learn() of values that are not finite changes no weight and reports usable: false", () => {
  const broken: [string, (sample: Sample) => Sample][] = [
    ["numerics", (sample) => withRows(sample, { numerics: new Float32Array(17).fill(NaN) })],
    ["offset", (sample) => withRows(sample, { offset: Infinity })],
    ["strengths", (sample) => ({
      ...sample,
      history: { ...sample.history, strengths: sample.history.strengths.map(() => NaN) },
    })],
  ];
  for (const model of MODEL_NAMES) {
    for (const [what, breakIt] of broken) {
      const learner = makeLearner(model);
      const samples = makeSamples(24, 3);
      const withHistory = samples.find(({ history }) => history.items.length > 1);
      assert.ok(withHistory);
      learner.learn(samples);
      const before = weights(learner);
      const result = learner.learn(
        [...samples.slice(0, 8), breakIt(withHistory)],
      );
      assert.equal(result.usable, false, `${model}, ${what}`);
      assert.deepEqual(weights(learner), before, `${model}, ${what}`);
    }
  }
});

Deno.test("Learner.learn() reports usable: false when a step drives the weights out of bounds", () => {
  for (
    const rates of ["learningRate", "headLearningRate", "embeddingLearningRate", "firstOrderLearningRate"]
  ) {
    for (const rate of [1e12, 1e38]) {
      const learner = makeLearner("din", { [rates]: rate });
      const parts = batches(makeSamples(24, 4));
      const results = parts.map((batch) => learner.learn(batch).usable);
      assert.ok(results.includes(false), `${rates} ${rate}`);
      const fine = makeLearner("din");
      fine.learn(parts[0] ?? []);
      learner.decode(fine.encode());
      assert.deepEqual(weights(learner), weights(fine), "an earlier state can be restored");
    }
  }
});

Deno.test("Learner.decode() refuses another model's state, truncated bytes and unknown formats", () => {
  const bytes = makeLearner("base").encode();
  assert.throws(() => makeLearner("dien").decode(bytes), SyntaxError);
  assert.throws(() => makeLearner("base").decode(bytes.subarray(0, bytes.length - 1)), SyntaxError);
  for (const format of [1, 9]) {
    assert.throws(
      () => makeLearner("base").decode(new Uint8Array([format])),
      new RegExp(`format is ${format}, this release reads 2 to 4`),
    );
  }
  assert.throws(() => makeLearner("base").decode(new Uint8Array(0)), SyntaxError);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), (length) => {
      assert.throws(() => makeLearner("base").decode(bytes.subarray(0, length)), SyntaxError);
    }),
    { numRuns: 30 },
  );
});

Deno.test("Learner.learn() learns a single row without history", () => {
  for (const model of MODEL_NAMES) {
    const learner = makeLearner(model);
    const sample = makeSamples(1, 1, 1)[0];
    assert.ok(sample);
    const empty = {
      items: [],
      categories: [],
      actions: [],
      times: new Float64Array(0),
      strengths: new Float32Array(0),
    };
    const result = learner.learn([{ ...sample, history: empty }]);
    assert.ok(result.usable && Number.isFinite(result.loss));
    assert.equal(result.rows, 1);
  }
});

Deno.test("Learner.version() of a full snapshot does not depend on the deltas taken before", () => {
  const [plain, chatty] = [makeLearner("base"), makeLearner("base")];
  for (const [b, batch] of batches(makeSamples(40)).entries()) {
    plain.learn(batch);
    chatty.learn(batch);
    chatty.version("delta", b + 1);
  }
  assert.deepEqual(encodeVersion(plain.version("full", 7)), encodeVersion(chatty.version("full", 7)));
  assert.ok(
    (plain.version("delta", 8).tables.get("item")?.length ?? 0) < 4 * WIDTH * 30,
    "nothing changed since",
  );
});

function withRows(sample: Sample, over: Partial<Row>): Sample {
  return { ...sample, rows: Rows.of(sample.rows.map((row) => ({ ...row, ...over }))) };
}

/** What predictions depend on: dense weights, and the rows of some keys. */
function weights(learner: Learner): object {
  const rows = [...learner.tables].map(([name, table]) => {
    const keys = ["u1", "u2", "i1", "i2", "i3", "c0", "c1", "c2", "0", "1"];
    return [
      name,
      keys.map((key) => {
        const row = new Float32Array(table.width);
        const index = table.lookup(key);
        table.copyRow(index, row, 0);
        return [key, row];
      }),
    ];
  });
  return { dense: learner.model.parameters.values.slice(), head: learner.head.values.slice(), rows };
}
