import assert from "node:assert/strict";
import { Rows } from "../../src/samples/rows.ts";
import { Assembler } from "../../src/features/rows/assembler.ts";
import type { Learner } from "../../src/learner/learner.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeVersion, encodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import { MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { batches, makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "../learner/batches.ts";

/** A serving model whose weights differ from the learner's until a version is applied. */
const serve = (model: ModelName) => new ServingModel(makeModel(model, 99), SCHEMA, WIDTH);

/** A version as it travels. */
const travel = (version: ParameterVersion) => decodeVersion(encodeVersion(version));

/** The learner's own forward pass. */
function forward(learner: Learner, standardisation: ParameterVersion["standardisation"], sample: Sample) {
  const assembler = new Assembler(SCHEMA, WIDTH);
  const fields = new Map(
    [...learner.tables].map(([name, table]) => [name, {
      width: table.width,
      rowOf: (key: string) => table.lookup(key),
      addRow: (row: number, scale: number, out: Float32Array, offset: number) =>
        table.addRow(row, scale, out, offset),
    }]),
  );
  const { input, wide } = assembler.gather(sample, fields, learner.head, standardisation);
  return learner.model.score(input).map((z, c) => Math.fround(z + (wide[c] ?? NaN)));
}

for (const model of MODEL_NAMES) {
  Deno.test(`ServingModel.apply() of ${model} scores bit for bit like the learner, version by version`, () => {
    const learner = makeLearner(model, { admitAfter: 2, expireAfterMs: 40_000 });
    const serving = serve(model);
    const probes = makeSamples(10, 77);
    assert.ok(serving.apply(travel(learner.version("full", 1))));
    for (const [b, batch] of batches(makeSamples(120)).entries()) {
      learner.learn(batch);
      if (b % 4 === 3) learner.forget("u3");
      const version = learner.version(b % 5 === 4 ? "full" : "delta", b + 2);
      assert.ok(serving.apply(travel(version)));
      assert.equal(serving.version, b + 2);
      for (const probe of [...probes, ...batch]) {
        assert.deepEqual(
          serving.score(probe),
          forward(learner, version.standardisation, probe),
          `version ${b + 2}`,
        );
      }
    }
  });

  Deno.test(`ServingModel.apply() of ${model} ends the same by deltas, by a full snapshot, and after a gap`, () => {
    const learner = makeLearner(model);
    const [byDeltas, late, gapped] = [serve(model), serve(model), serve(model)];
    const first = learner.version("full", 1);
    byDeltas.apply(first);
    gapped.apply(first);
    for (const [b, batch] of batches(makeSamples(64)).entries()) {
      learner.learn(batch);
      const version = travel(learner.version("delta", b + 2));
      assert.ok(byDeltas.apply(version));
      assert.equal(late.apply(version), false, "a delta on nothing");
      if (b !== 3) assert.equal(gapped.apply(version), b < 3);
    }
    assert.equal(gapped.version, 4, "the gap stopped it");
    const probes = makeSamples(10, 78);
    const stale = probes.map((probe) => gapped.score(probe));
    const snapshot = travel(learner.version("full", 9));
    for (const serving of [late, gapped, byDeltas]) assert.ok(serving.apply(snapshot));
    for (const [p, probe] of probes.entries()) {
      const want = byDeltas.score(probe);
      assert.deepEqual(late.score(probe), want);
      assert.deepEqual(gapped.score(probe), want);
      assert.notDeepEqual(stale[p], want, "the gap was seen");
    }
  });
}

Deno.test("ServingModel.applying() shows nothing of a version before the last portion, then all of it", () => {
  const learner = makeLearner("dien");
  const [serving, want] = [serve("dien"), serve("dien")];
  const probes = makeSamples(5, 79);
  const scores = (of: ServingModel) => probes.map((probe) => of.score(probe));
  for (const [b, batch] of batches(makeSamples(40)).entries()) {
    const before = scores(serving);
    const version = travel(learner.version(b % 3 === 0 ? "full" : "delta", b + 1));
    assert.ok(want.apply(version));
    const portions = serving.applying(version);
    let count = 0;
    for (let { done } = portions.next(); !done; { done } = portions.next()) {
      assert.deepEqual(scores(serving), before);
      count++;
    }
    assert.ok(count > 1);
    assert.deepEqual(scores(serving), scores(want));
    learner.learn(batch);
  }
});

Deno.test("ServingModel.apply() forgets a user whom the learner forgot", () => {
  const learner = makeLearner("base");
  const serving = serve("base");
  learner.learn(makeSamples(60));
  serving.apply(learner.version("full", 1));
  const sample = makeSamples(60).find(({ user }) => user === "u1");
  assert.ok(sample);
  const stranger = { ...sample, user: "nobody" };
  assert.notDeepEqual(serving.score(sample), serving.score(stranger));
  learner.forget("u1");
  assert.ok(serving.apply(learner.version("delta", 2)));
  assert.deepEqual(serving.score(sample), serving.score(stranger));
});

Deno.test("ServingModel.apply() accepts a version that it already has, or an older one, and ignores it", () => {
  const learner = makeLearner("base");
  const serving = serve("base");
  const versions = batches(makeSamples(24)).map((batch, b) => {
    learner.learn(batch);
    return learner.version(b === 0 ? "full" : "delta", b + 1);
  });
  for (const version of versions) serving.apply(version);
  const probe = makeSamples(1, 5)[0];
  assert.ok(probe);
  const want = serving.score(probe);
  for (const version of versions) assert.ok(serving.apply(version));
  assert.equal(serving.version, 3);
  assert.deepEqual(serving.score(probe), want);
});

Deno.test("ServingModel.apply() refuses a version of another schema or model and stays unchanged", () => {
  const learner = makeLearner("base");
  const serving = serve("base");
  learner.learn(makeSamples(20));
  serving.apply(learner.version("full", 1));
  const probe = makeSamples(1, 5)[0];
  assert.ok(probe);
  const want = serving.score(probe);
  learner.learn(makeSamples(20, 6));
  const good = learner.version("delta", 2);
  const item = good.tables.get("item") ?? new Uint8Array(0);
  const bad: [string, ParameterVersion][] = [
    ["a table that is not in the schema", { ...good, tables: new Map([...good.tables, ["colour", item]]) }],
    ["too few dense weights", { ...good, dense: good.dense.subarray(1) }],
    ["too many dense weights", { ...good, dense: new Float32Array(good.dense.length + 1) }],
    ["another head", { ...good, head: new Float32Array(good.head.length + 1) }],
  ];
  for (const [what, version] of bad) {
    assert.throws(() => serving.apply(version), SyntaxError, what);
    assert.equal(serving.version, 1, what);
    assert.deepEqual(serving.score(probe), want, what);
  }
  assert.ok(serving.apply(good));
});

Deno.test("ServingModel.step() folds a user's history into the model's state", () => {
  const learner = makeLearner("dien");
  learner.learn(makeSamples(40));
  const serving = serve("dien");
  serving.apply(learner.version("full", 1));
  const state = serving.initState();
  assert.equal(state.length, serving.stateSize);
  const before = state.slice();
  serving.step(state, "i1", ["c1"], 1);
  assert.notDeepEqual(state, before);
  const again = serving.initState();
  serving.step(again, "i1", ["c1"], 1);
  assert.deepEqual(again, state);
  assert.equal(serve("base").stateSize, 0);
});

Deno.test("ServingModel.positionWeight() is what a position adds to a score; far positions share one weight", () => {
  const learner = makeLearner("base");
  for (const batch of batches(makeSamples(200))) learner.learn(batch);
  const serving = serve("base");
  serving.apply(learner.version("full", 1));
  const probe = makeSamples(1, 5)[0];
  assert.ok(probe);
  const at = (position: number) =>
    serving.score({ ...probe, rows: Rows.of(probe.rows.map((row) => ({ ...row, position }))) })[0] ?? NaN;
  for (const position of [0, 1, 2, 3]) {
    const difference = at(position) - at(-1);
    assert.notEqual(serving.positionWeight(position), 0);
    assert.ok(Math.abs(difference - serving.positionWeight(position)) < 1e-5, `${difference}`);
  }
  assert.equal(serving.positionWeight(49), serving.positionWeight(1000));
});
