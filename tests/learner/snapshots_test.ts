import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { UNKNOWN_ROW } from "../../src/embeddings/rows.ts";
import type { Learner } from "../../src/learner/learner.ts";
import { Snapshots } from "../../src/learner/snapshots.ts";
import { makeLearner, makeSamples } from "./batches.ts";

/** A learner that has seen 100 users, with snapshots of now, of a hundred rows ago and of earlier. */
function trained(): { readonly learner: Learner; readonly snapshots: Snapshots } {
  const learner = makeLearner("base");
  const samples = makeSamples(100).map((sample, n) => ({ ...sample, user: `u${n}` }));
  learner.learn(samples.slice(0, 50));
  const snapshots = new Snapshots(learner.encode(), 1000);
  learner.learn(samples.slice(50, 75));
  snapshots.keep(learner, 100);
  learner.learn(samples.slice(75));
  snapshots.keep(learner, 200);
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

Deno.test("Snapshots.restore() brings back no erased user, however many were erased", () => {
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

Deno.test("Snapshots.erase() leaves the learner unchanged, and keeps snapshots small when nothing is judged", () => {
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

Deno.test("Snapshots.restore() gives the last learner kept, or the newest without complaints for long enough", () => {
  const learner = makeLearner("base");
  const samples = makeSamples(100);
  const kept = [learner.encode().toHex()];
  const snapshots = new Snapshots(learner.encode(), 100);
  const reread = () => {
    const to = new ByteWriter();
    snapshots.encode(to, learner.encode());
    const copy = new Snapshots(new Uint8Array(), 100);
    assert.equal(copy.decode(new ByteReader(to.toBytes())).toHex(), learner.encode().toHex());
    return copy;
  };
  const gives = (which: "last" | "trusted", number: number) => {
    const current = learner.encode();
    const { steps } = learner;
    for (const each of [snapshots, reread()]) {
      each.restore(learner, which);
      assert.equal(learner.steps, steps);
      learner.steps = number;
      assert.equal(kept.indexOf(learner.encode().toHex()), number, which);
      learner.decode(current);
    }
  };
  // Kept after 40, 80, ... rows; a candidate for trust waits until 100 rows have followed it.
  for (const [n, trusted] of [0, 0, 0, 1, 1, 1, 1, 5, 5, 5].entries()) {
    learner.learn(samples.slice(10 * n, 10 * n + 10));
    kept.push(snapshots.keep(learner, 40 * (n + 1)).toHex());
    gives("last", n + 1);
    gives("trusted", trusted);
  }
  snapshots.trust(40 * 9 + 99);
  gives("trusted", 5);
  snapshots.trust(40 * 9 + 100);
  gives("trusted", 9);
  snapshots.distrust();
  gives("last", 9);
});
