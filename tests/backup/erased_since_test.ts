import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeEvent, encodeEvent } from "../../src/events/codec.ts";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { encodeVersion } from "../../src/serving/version.ts";
import { eraseAgain } from "../../streams/backup/erased_since.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { surfaceTopic } from "../../streams/topics/surfaces.ts";
import {
  generationTopics,
  rememberedTopic,
  topicNames,
  topicSpecs,
  variantTopics,
} from "../../streams/topics/topics.ts";
import { batches, makeLearner, makeSamples } from "../learner/batches.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { checkErasedAgain, traces } from "./erased.ts";

Deno.test("restore --erased erases again exactly the users who were erased after the backup", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log.sqlite`;
  await checkErasedAgain({
    prefix: "meander.",
    restoredPrefix: "meander.",
    open: () => SqliteLog.open(path),
    flags: () => ["--log-path", path],
    async destroy() {
      for (const name of ["", "-end", "-lock"]) await Deno.remove(`${path}${name}`);
    },
    isErased: async (log, _topics, user) => (await traces(log, user)).length === 0,
  });
});

const BEGIN = Date.UTC(2026, 0, 1);

Deno.test("eraseAgain() erases users named since the backup, as of their newest receipt but never later than now", async () => {
  const topics = topicNames();
  const receipt = (user: string, seconds: number) => ({
    userSha256: createHash("sha256").update(user).digest("hex"),
    taken: new Date(BEGIN + 1000 * seconds).toISOString(),
  });
  const receipts = [
    receipt("twice", 500),
    receipt("twice", 700),
    receipt("twice", 600),
    receipt("before", 100),
    receipt("at once", 345),
    receipt("ahead", 9999),
    receipt("unknown", 800),
  ];
  for (const all of [receipts, receipts.toReversed()]) {
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 2));
    const record = { partition: 0, value: new Uint8Array(1), time: 0 };
    await log.append([
      ...["twice", "before", "kept", "ahead"].map((key) => ({ ...record, topic: topics.events, key })),
      ...["at once", "twice"].map((key) => ({ ...record, topic: topics.state, key })),
    ]);
    const ends = await Promise.all(
      [0, 1].map(async (partition) => (await log.bounds(topics.events, partition)).end),
    );
    const options = { receipts: all, made: new Date(BEGIN + 400_000).toISOString(), now: BEGIN + 1_000_000 };
    assert.equal(await eraseAgain(log, topics, options), 3);
    const found = new Map<string, unknown>();
    for (const [partition, end] of ends.entries()) {
      for await (const { offset, key, value } of readAll(log, topics.events, partition)) {
        if (offset >= end) found.set(key ?? "", decodeEvent(value!));
      }
    }
    const event = (user: string, seconds: number) =>
      [user, { ok: true, event: { type: "forget", user, time: BEGIN + 1000 * seconds } }] as const;
    assert.deepEqual(
      found,
      new Map([event("twice", 700), event("ahead", 1000), event("at once", 345)]),
    );
  }
});

Deno.test("eraseAgain() finds a user who is left on a single topic of any generation", async () => {
  const topics = topicNames();
  const second = generationTopics(topics, 2);
  const bytes = new Uint8Array(1);
  const alias = encodeEvent({ type: "alias", user: "s", of: "ann", time: BEGIN });
  const invalid = new TextEncoder().encode('{"type": "interaction", "user": "ann", "item": 7}');
  const rejection = encodeRejection(
    rejectionOf(
      { topic: "in", partition: 0, offset: 0 },
      { ok: false, code: "not-an-object", reason: "" },
      invalid,
    ),
  );
  const learner = makeLearner("base", { admitAfter: 1 });
  for (const batch of batches(makeSamples(40))) {
    learner.learn(batch.map((sample) => ({ ...sample, user: "ann" })));
  }
  const version = encodeVersion(learner.version("full", 1));
  const places: [topic: string, key: string | null, value: Uint8Array][] = [
    ...[topics.events, topics.recommendations, surfaceTopic(topics, "front"), topics.lists, topics.samples]
      .map((topic): [string, string, Uint8Array] => [topic, "ann", bytes]),
    ...[topics.state, topics.rejected, second.state, second.samples, rememberedTopic(second)]
      .map((topic): [string, string, Uint8Array] => [topic, "ann", bytes]),
    [topics.figures, "user/ann", bytes],
    [second.figures, "user/ann", bytes],
    [topics.events, "s", alias],
    [topics.rejected, null, rejection],
    [topics.parameters, "base", version],
    [variantTopics(second, "din").parameters, "din", version],
  ];
  const receipt = {
    userSha256: createHash("sha256").update("ann").digest("hex"),
    taken: new Date(BEGIN).toISOString(),
  };
  const options = { receipts: [receipt], made: new Date(BEGIN).toISOString(), now: BEGIN + 1000 };
  for (const [topic, key, value] of places) {
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 2));
    if (!(await log.topics()).has(topic)) {
      await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    }
    await log.append([{ topic, partition: 0, key, value, time: BEGIN }]);
    assert.equal(await eraseAgain(log, topics, options), 1, `${topic}, ${key}`);
  }
});
