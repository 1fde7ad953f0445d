import assert from "node:assert/strict";
import { remarksOnCopies, remarksOnSettings } from "../../../streams/log/kafka/review.ts";

const SOUND = { topic: "sound", copies: 3, inSync: 3, needed: 2 };

Deno.test("remarksOnCopies() says which topics a cluster could lose, or stop, and hardly anything of one broker", () => {
  const topics = [
    SOUND,
    { topic: "alone", copies: 1, inSync: 1, needed: 1 },
    { topic: "behind", copies: 3, inSync: 2, needed: 2 },
    { topic: "stopped", copies: 3, inSync: 1, needed: 2 },
    { topic: "strict", copies: 3, inSync: 3, needed: 3 },
    { topic: "loose", copies: 3, inSync: 3, needed: 1 },
    { topic: "loose too", copies: 3, inSync: 3, needed: 1 },
    { topic: "impossible", copies: 1, inSync: 1, needed: 2 },
    { topic: "unknown", copies: 3, inSync: 3, needed: null },
  ];
  const said = remarksOnCopies(topics, 3).map(({ what, isProblem }) => [isProblem, what]);
  assert.deepEqual(said, [
    [
      true,
      "can never be written to, because min.insync.replicas is above the number of replicas: impossible",
    ],
    [true, "on only one of 3 brokers, and lost with it: alone, impossible"],
    [true, "cannot be written to, because too few brokers are in sync: stopped"],
    [false, "not in sync on all of its brokers: behind"],
    [false, "cannot be written to while one broker is down: strict"],
    [false, "acknowledged by a single broker, and may be lost with it: loose, loose too"],
  ]);
  assert.deepEqual(remarksOnCopies([SOUND], 3), []);
  assert.deepEqual(remarksOnCopies(topics, 1).map(({ what }) => what), [
    "can never be written to, because min.insync.replicas is above the number of replicas: impossible",
  ]);
});

Deno.test("remarksOnSettings() says which topics drop what is to stay, and which do not take large or old records", () => {
  const topic = (topic: string, settings: Record<string, string>) => ({
    topic,
    isKept: topic !== "not kept",
    settings: new Map(Object.entries(settings)),
  });
  const WEEK = "604800000";
  const said = remarksOnSettings([
    topic("as we make it", {
      "cleanup.policy": "compact",
      "retention.ms": "-1",
      "max.message.bytes": "8388608",
    }),
    topic("not dropping", { "cleanup.policy": "compact", "retention.ms": WEEK, "retention.bytes": "-1" }),
    topic("by age", { "cleanup.policy": "compact,delete", "retention.ms": WEEK, "retention.bytes": "-1" }),
    topic("by size", { "cleanup.policy": "delete,compact", "retention.ms": "-1", "retention.bytes": "9" }),
    topic("without a bound", {
      "cleanup.policy": "compact,delete",
      "retention.ms": "-1",
      "retention.bytes": "-1",
    }),
    topic("versions", { "cleanup.policy": "delete", "retention.ms": WEEK }),
    topic("not kept", { "cleanup.policy": "delete", "retention.ms": WEEK, "retention.bytes": "-1" }),
    topic("small", { "cleanup.policy": "delete", "max.message.bytes": "1048588" }),
    topic("recent", {
      "message.timestamp.before.max.ms": "86400000",
      "message.timestamp.type": "CreateTime",
    }),
    topic("any", { "message.timestamp.before.max.ms": `${2n ** 63n - 1n}` }),
    topic("arrival", { "message.timestamp.before.max.ms": "9", "message.timestamp.type": "LogAppendTime" }),
    topic("not ours to ask", {}),
  ]);
  assert.deepEqual(said.map(({ what, isProblem }) => [isProblem, what.split(": ")[1]]), [
    [true, "by age, by size, versions"],
    [false, "small"],
    [true, "recent"],
  ]);
});
