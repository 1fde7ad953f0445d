import assert from "node:assert/strict";
import type { Learner } from "../../src/learner/learner.ts";
import { historySample, type Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { Validation } from "../../src/learner/validation.ts";
import { MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { batches, makeLearner, makeSamples } from "./batches.ts";

/** The histories of samples, without what was shown. */
function historiesOf(samples: readonly Sample[]): Sample[] {
  return samples.map(({ user, time, history }) => historySample(user, time, history));
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The dense blocks that differ between two learners. */
function changedBlocks(one: Learner, other: Learner): string[] {
  const [a, b] = [one.model.parameters, other.model.parameters];
  return [...a.shapes.keys()].filter((name) => a.block(name).some((x, i) => x !== b.block(name)[i]));
}

Deno.test("Learner.learn() brings the auxiliary loss of DIEN down on histories alone", () => {
  const learner = makeLearner("dien", { auxWeight: 1, learningRate: 0.3, embeddingScale: 0.3 });
  const results = batches(historiesOf(makeSamples(2800, 5))).map((batch) => learner.learn(batch));
  const aux = results.map((result) => result.aux);
  const [early, late] = [mean(aux.slice(2, 50)), mean(aux.slice(-50))];
  assert.ok(late < 0.9 * early, `mean auxiliary loss ${early} at first, ${late} at last`);
  assert.ok(
    results.every(({ rows, loss, logLoss, usable }) => rows === 0 && loss === 0 && logLoss === 0 && usable),
  );
  assert.ok(results.some(({ histories }) => histories > 0));
  assert.equal(learner.steps, 350);
});

Deno.test("Learner.learn() of a history moves the extractor and its items, nothing of the candidates' part", () => {
  const [learner, untouched] = [makeLearner("dien"), makeLearner("dien")];
  const histories = historiesOf(makeSamples(24));
  learner.learn(histories); // the first has no negatives to draw from yet
  learner.learn(histories);
  const changed = changedBlocks(learner, untouched);
  assert.ok(changed.every((name) => /^(gru1|aux)\./.test(name)), `${changed}`);
  assert.ok(changed.includes("gru1.U") && changed.includes("aux.W1"), `${changed}`);
  assert.deepEqual(learner.head.values, untouched.head.values);
  for (const [name, table] of learner.tables) {
    const isBehaviours = name === "item" || name === "category";
    assert.equal(
      table.encodeServing().length > untouched.tables.get(name)!.encodeServing().length,
      isBehaviours,
      name,
    );
  }
});

Deno.test("Learner.learn() leaves the weights alone when a history comes without an auxiliary loss", () => {
  const histories = historiesOf(makeSamples(24));
  for (const model of MODEL_NAMES) {
    for (const auxWeight of model === "dien" ? [0] : [0, 0.5]) {
      const [learner, untouched] = [makeLearner(model, { auxWeight }), makeLearner(model, { auxWeight })];
      const result = [learner.learn(histories), learner.learn(histories)].at(-1)!;
      assert.deepEqual(changedBlocks(learner, untouched), [], model);
      assert.deepEqual([result.histories, result.aux, result.usable], [0, 0, true], model);
    }
  }
});

Deno.test("Learner.decode() goes on bit for bit among lists and histories", () => {
  const samples = makeSamples(96, 2).flatMap((sample) => [sample, ...historiesOf([sample])]);
  const parts = batches(samples);
  const whole = makeLearner("dien");
  const states = [whole.encode()];
  for (const batch of parts) {
    whole.learn(batch);
    states.push(whole.encode());
  }
  for (const from of [1, 7, 20]) {
    const other = makeLearner("dien");
    other.decode(states[from]!);
    for (const batch of parts.slice(from)) other.learn(batch);
    assert.deepEqual(other.encode(), states.at(-1), `from ${from}`);
  }
});

Deno.test("Validation.update() judges no history, and its digest knows it", () => {
  const [one, other] = [new Validation(), new Validation()];
  for (const sample of makeSamples(12)) {
    const bytes = encodeSample(sample);
    one.update(sample, bytes);
    other.update(sample, bytes);
    const [history] = historiesOf([sample]);
    one.update(history!, encodeSample(history!));
  }
  assert.deepEqual(one.rows.encode(), other.rows.encode());
  assert.notEqual(one.digest, other.digest);
});

Deno.test("decodeSample() gives a history back", () => {
  for (const history of historiesOf(makeSamples(12))) {
    const decoded = decodeSample(encodeSample(history));
    assert.deepEqual({ ...decoded, ...history }, decoded);
  }
});
