import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { Feeder, feederGroup } from "../../streams/feeders/feeder.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { feederPosition } from "../../streams/topics/feeder_position.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { ownSource } from "../../streams/mapping/record_source.ts";
import { hasCode } from "../contracts/log_suite.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

const topics = topicNames();
const PARTITIONS = 2;
const sourceRecords = syntheticRecords({ views: 30, users: 8 });
const textOf = (event: Event) => new TextDecoder().decode(encodeEvent(event));
const events = [
  ...new Map(
    sourceRecords.flatMap((record) => record.kind === "event" ? [[textOf(record.event), record.event]] : []),
  )
    .values(),
];

/** An event on a topic of three partitions that is not keyed by its user. */
function misplaced(event: Event, n: number): NewRecord {
  return {
    topic: "shop",
    partition: n % 3,
    key: `session-${n % 5}`,
    value: encodeEvent(event),
    time: event.time,
  };
}

async function createLog(): Promise<AdministeredLog> {
  const log = new AdministeredLog();
  await log.createTopics([...topicSpecs(topics, PARTITIONS), {
    name: "shop",
    partitions: 3,
    cleanup: "delete",
  }]);
  await log.append(events.map(misplaced));
  return log;
}

async function feedTopic(log: Log, name = "shop"): Promise<TopicFeeder> {
  const source = { log, topic: "shop", format: ownSource() } as const;
  await using feeder = await TopicFeeder.open(log, topics, source, { name, batch: 7 });
  while (await feeder.feed() > 0);
  return feeder;
}

/** What is on `events`: for each partition, the numbers of the source's events. */
async function fed(log: Log): Promise<number[][]> {
  const known = events.map(textOf);
  return await Promise.all(Array.from({ length: PARTITIONS }, async (_, partition) => {
    const found: number[] = [];
    for await (const { key, value } of readAll(log, topics.events, partition)) {
      assert.equal(partitionOf(key!, PARTITIONS), partition);
      found.push(known.indexOf(new TextDecoder().decode(value!)));
    }
    return found;
  }));
}

/** Checks that all events are there once, those of each partition of the source in order. */
async function checkAll(log: Log): Promise<void> {
  const all = await fed(log);
  assert.equal(all.flat().length, events.length);
  for (const partition of all) {
    for (let of = 0; of < 3; of++) {
      const own = partition.filter((n) => n % 3 === of);
      assert.deepEqual(own, own.toSorted((a, b) => a - b), `those of shop/${of} keep their order`);
    }
  }
}

Deno.test("TopicFeeder re-keys each event to its user's partition once, even when its group is deleted", async () => {
  await using log = await createLog();
  await feedTopic(log);
  await checkAll(log);
  log.deleteGroup(feederGroup(topics, "shop"));
  const again = await feedTopic(log);
  assert.equal(again.events, 0);
  await checkAll(log);
});

Deno.test("TopicFeeder re-keys each event once when it crashes at any operation and its group is deleted", async () => {
  let crashes = 0;
  for (let at = 1;; at += 3) {
    await using log = await createLog();
    const crashing = new CrashingLog(log, at);
    const crashed = await feedTopic(crashing).then(() => false, (error) => {
      assert.ok(error instanceof Crash);
      return true;
    });
    log.deleteGroup(feederGroup(topics, "shop"));
    await feedTopic(log);
    await checkAll(log);
    if (!crashed) break;
    crashes++;
  }
  assert.ok(crashes > 15, `${crashes}`);
});

Deno.test("TopicFeeder refuses a topic that was created again, and counts records that were dropped", async () => {
  await using log = await createLog();
  const source = { log, topic: "shop", format: ownSource() } as const;
  await using feeder = await TopicFeeder.open(log, topics, source, { name: "shop", batch: 7 });
  await feeder.feed();
  await feeder.check();
  const { end } = await log.bounds("shop", 1);
  await log.trim("shop", 1, end);
  while (await feeder.feed() > 0);
  assert.ok(feeder.skipped === 0, "what was read ahead is not lost");
  await log.append([misplaced(events[0]!, 1), misplaced(events[1]!, 1)]);
  await log.trim("shop", 1, end + 1);
  while (await feeder.feed() > 0);
  assert.equal(feeder.skipped, 1);
  log.grow("shop", 5);
  await assert.rejects(feeder.check(), hasCode("closed"));
  await log.recreate("shop");
  await assert.rejects(feeder.check(), hasCode("topic-mismatch"));
  await assert.rejects(
    TopicFeeder.open(log, topics, source, { name: "shop" }),
    /created again.+another name/,
  );
});

Deno.test("Feeder resumes after its own last record when its group was deleted", async () => {
  await using log = await createLog();
  const feed = async () => {
    async function* source() {
      yield* sourceRecords;
    }
    await using feeder = await Feeder.open(log, topics, source(), { name: "file", batch: 9 });
    while (await feeder.feed());
  };
  await feed();
  const ends = () => Promise.all([0, 1].map(async (p) => (await log.bounds(topics.events, p)).end));
  const before = await ends();
  log.deleteGroup(feederGroup(topics, "file"));
  await feed();
  assert.deepEqual(await ends(), before);
});

Deno.test("feederPosition() refuses an invalid position, and says where it is", async () => {
  const log = await createLog();
  for (const text of ["", "null", "5", "{", '{"next":"x"}', '{"id":null}']) {
    const value = new TextEncoder().encode(text);
    const [offset] = await log.append([{ topic: topics.positions, partition: 0, key: "f", value, time: 1 }]);
    await assert.rejects(feederPosition(log, topics, "f"), {
      code: "corrupt",
      message: new RegExp(
        `^Cannot find the position of f: ${topics.positions}/0@${offset} .*; run the release`,
      ),
    }, text);
  }
  assert.equal(await feederPosition(log, topics, "g"), null);
});
