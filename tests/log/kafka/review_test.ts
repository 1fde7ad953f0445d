import assert from "node:assert/strict";
import { remarksOnCopies } from "../../../streams/log/kafka/review.ts";

const SOUND = { topic: "sound", copies: 3, inSync: 3, needed: 2 };

Deno.test("remarksOnCopies() says which topics a cluster could lose, or stop, and nothing of one broker", () => {
  const topics = [
    SOUND,
    { topic: "alone", copies: 1, inSync: 1, needed: 1 },
    { topic: "behind", copies: 3, inSync: 2, needed: 2 },
    { topic: "stopped", copies: 3, inSync: 1, needed: 2 },
    { topic: "strict", copies: 3, inSync: 3, needed: 3 },
    { topic: "loose", copies: 3, inSync: 3, needed: 1 },
    { topic: "loose too", copies: 3, inSync: 3, needed: 1 },
    { topic: "unknown", copies: 3, inSync: 3, needed: null },
  ];
  const said = remarksOnCopies(topics, 3).map(({ what, isProblem }) => [isProblem, what]);
  assert.deepEqual(said, [
    [true, "on only one of 3 brokers, and lost with it: alone"],
    [true, "cannot be written to, because too few brokers are in sync: stopped"],
    [false, "not in sync on all of its brokers: behind"],
    [false, "cannot be written to while one broker is away: strict"],
    [false, "acknowledged by a single broker, and may be lost with it: loose, loose too"],
  ]);
  assert.deepEqual(remarksOnCopies([SOUND], 3), []);
  assert.deepEqual(remarksOnCopies(topics, 1), []);
});
