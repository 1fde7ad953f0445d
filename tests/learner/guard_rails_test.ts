import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { UNKNOWN_ROW } from "../../src/embeddings/rows.ts";
import { GuardRails } from "../../src/learner/guard_rails.ts";
import { makeLearner, makeSamples } from "./batches.ts";

const OPTIONS = { guard: null, recoveryBatches: 3 };
const SAMPLES = makeSamples(16);

/** What the rails are told of a batch, of which only its usability matters here. */
const batchOf = (usable: boolean) => ({ samples: [], result: { usable, logLoss: 0 }, judged: 0, version: 1 });

Deno.test("GuardRails.publishes again after recoveryBatches usable batches in a row", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (batches) => {
      const rails = new GuardRails(makeLearner("base"), OPTIONS);
      for (const [b, usable] of batches.entries()) {
        assert.equal(rails.update(batchOf(usable)), usable ? "learnt" : "restored");
        const since = batches.slice(0, b + 1).toReversed().indexOf(false);
        assert.equal(rails.publishes, since === -1 || since >= OPTIONS.recoveryBatches);
        assert.equal(rails.isRecovering, !rails.publishes);
      }
      assert.equal(rails.counts.failures, batches.filter((usable) => !usable).length);
    }),
    { numRuns: 30 },
  );
});

Deno.test("GuardRails.keep() sets what a broken batch restores, but not during a recovery", () => {
  const learner = makeLearner("base");
  const rails = new GuardRails(learner, OPTIONS);
  learner.learn(SAMPLES.slice(0, 8));
  const dense = learner.model.parameters.values.slice();
  rails.keep(0);
  learner.learn(SAMPLES.slice(8));
  rails.update(batchOf(false));
  assert.deepEqual(learner.model.parameters.values, dense);
  assert.equal(learner.steps, 2, "the count of batches stays");
  learner.learn(SAMPLES);
  rails.update(batchOf(true));
  rails.keep(0);
  rails.update(batchOf(false));
  assert.deepEqual(learner.model.parameters.values, dense, "the batches of a recovery are not trusted yet");
});

Deno.test("GuardRails.decode() continues where encode() was called, even during a recovery", () => {
  const [learner, otherLearner] = [makeLearner("base"), makeLearner("base")];
  const [rails, other] = [new GuardRails(learner, OPTIONS), new GuardRails(otherLearner, OPTIONS)];
  learner.learn(SAMPLES);
  rails.keep(64);
  rails.update(batchOf(false));
  rails.erase(["u1"]);
  const to = new ByteWriter();
  rails.encode(to, learner.encode());
  other.decode(new ByteReader(to.toBytes()), rails.counts);
  for (const usable of [true, false, true, true, true]) {
    for (const each of [rails, other]) each.update(batchOf(usable));
    assert.deepEqual(other.counts, rails.counts);
    assert.equal(other.publishes, rails.publishes);
    assert.equal(crc32(otherLearner.encode()), crc32(learner.encode()));
  }
  assert.equal(otherLearner.tables.get("user")?.lookup("u1"), UNKNOWN_ROW);
});
