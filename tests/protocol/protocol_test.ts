/**
 * The commit protocol, checked in every reachable state of its models: TaskCommit.tla and LearnerCommit.tla say what is
 * modelled, docs/explanation/exactly-once.md explains it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { keysOf } from "../../src/values/record.ts";
import { breadth, oneIn } from "../breadth.ts";
import { check, prepareTlc } from "./tlc.ts";

const jars = await prepareTlc();
const ignore = jars === undefined;

/** Mechanisms by model, with the invariants of which one breaks without the mechanism. */
const MECHANISMS = {
  TaskCommit: {
    FencesFirst: ["NothingDoubled", "StateIsFold", "OutputsAreOfState"],
    Atomic: ["NothingDoubled", "OutputsAreOfState"],
    PositionInRecord: ["NothingDoubled", "StateIsFold", "OutputsAreOfState"],
    ChecksTopic: ["OneTopic", "NothingLostSilently"],
    TellsGaps: ["NothingLostSilently"],
  },
  LearnerCommit: {
    Fences: ["VersionsAreFolds", "NumbersRise", "OneHistory", "MadeAgainIsSame", "CheckpointIsOnHistory"],
    KeepsOrder: ["OneHistory", "MadeAgainIsSame"],
    KeepsRest: ["OneHistory", "MadeAgainIsSame"],
    SkipsKnown: ["NumbersRise"],
    TrimsToCheckpoint: ["CheckpointIsOnHistory"],
  },
};

/** Constants with which the whole of a model is visited in seconds; those of its `.cfg` take twice to four times as long. */
const FEWER: Readonly<Record<keyof typeof MECHANISMS, Readonly<Record<string, number>>>> = {
  TaskCommit: { MaxEvents: 2 },
  LearnerCommit: { MaxOpens: 2 },
};

for (const model of keysOf(MECHANISMS)) {
  Deno.test({
    name: `${model} keeps every invariant in every reachable state, and completes its work`,
    ignore,
    fn: async () => {
      const { violated, states, isDone } = await check(jars ?? "", model, breadth(FEWER[model], {}));
      assert.equal(violated, undefined);
      assert.ok(isDone);
      assert.ok(states > breadth(10_000, 80_000), `${states} states`);
    },
  });

  for (const [mechanism, broken] of oneIn(2, Object.entries<readonly string[]>(MECHANISMS[model]))) {
    Deno.test({
      name: `${model} without ${mechanism} breaks an invariant`,
      ignore,
      fn: async () => {
        const { violated = "none" } = await check(jars ?? "", model, { [mechanism]: false });
        assert.ok(broken.includes(violated), violated);
      },
    });
  }
}

Deno.test({
  name: "TaskCommit keeps every invariant with at-least-once delivery",
  ignore,
  fn: async () => {
    const { violated, isDone } = await check(jars ?? "", "TaskCommit", {
      AtLeastOnce: true,
      MaxEvents: 2,
      MaxOpens: breadth(2, 3),
    });
    assert.equal(violated, undefined);
    assert.ok(isDone);
  },
});
