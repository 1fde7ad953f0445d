import assert from "node:assert/strict";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { UNKNOWN_ROW } from "../../src/embeddings/rows.ts";
import type { Learner } from "../../src/learner/learner.ts";
import { Snapshots } from "../../src/learner/snapshots.ts";
import { makeLearner, makeSamples } from "./batches.ts";

/** A learner that has seen 100 users, with a snapshot of that, one of a hundred rows ago, and one of before. */
function trained(): { readonly learner: Learner; readonly snapshots: Snapshots } {
  const learner = makeLearner("base");
  const samples = makeSamples(100).map((sample, n) => ({ ...sample, user: `u${n}` }));
  learner.learn(samples.slice(0, 50));
  const snapshots = new Snapshots(learner.encode(), 1000);
  learner.learn(samples.slice(50, 75));
  snapshots.keep(learner.encode(), 100);
  learner.learn(samples.slice(75));
  snapshots.keep(learner.encode(), 200);
  return { learner, snapshots };
}

const erase = (learner: Learner, snapshots: Snapshots, users: readonly string[]) => {
  for (const user of users) learner.forget(user);
  snapshots.erase(users, learner);
};
const knows = ({ tables }: Learner, user: string) => tables.get("user")?.lookup(user) !== UNKNOWN_ROW;
const sizeOf = (snapshots: Snapshots, learner: Learner) => {
  const to = new ByteWriter();
  snapshots.encode(to, learner.encode());
  return to.length;
};

Deno.test("Snapshots.restore() brings back nobody who was erased, however many there were", () => {
  for (const others of [0, 999, 2500]) {
    for (const which of ["last", "trusted"] as const) {
      const { learner, snapshots } = trained();
      assert.ok(knows(learner, "u10"));
      erase(learner, snapshots, ["u10"]);
      erase(learner, snapshots, Array.from({ length: others }, (_, n) => `other${n}`));
      erase(learner, snapshots, ["u11", "u60"]);
      snapshots.restore(learner, which);
      for (const user of ["u10", "u11", "u60"]) {
        assert.ok(!knows(learner, user), `${user}, ${which}, ${others}`);
      }
      assert.ok(knows(learner, "u12"));
      assert.equal(knows(learner, "u90"), which === "last");
    }
  }
});

Deno.test("Snapshots.erase() leaves the learner as it is, and stays small where nothing is judged", () => {
  const { learner, snapshots } = trained();
  const before = learner.encode();
  const size = sizeOf(snapshots, learner);
  for (let n = 0; n < 30; n++) {
    snapshots.erase(Array.from({ length: 100 }, (_, m) => `nobody${100 * n + m}`), learner);
  }
  assert.deepEqual(learner.encode(), before);
  assert.ok(
    sizeOf(snapshots, learner) < size + 20_000,
    `${sizeOf(snapshots, learner)} bytes, ${size} before`,
  );
});
