/** Only records larger than their topic takes are rejected, whatever feeds them: nothing is lost or doubled. */

import assert from "node:assert/strict";
import { reject } from "../../src/events/rejected.ts";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { readRejected } from "../../streams/feeders/rejected_records.ts";
import { replayRejected } from "../../streams/feeders/rejected_replay.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { ownSource } from "../../streams/mapping/record_source.ts";
import { openLog, ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { LimitedLog } from "../log/limited_log.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { sourceOf } from "../sources/synthetic.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const COUNT = 40;
const PREFIX = ownPrefix(import.meta.url, "too large");
const THEIRS = `${PREFIX}clicks`;
const topics = topicNames(PREFIX);
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const isLarge = (n: number) => n % 9 === 4;
const numbers = Array.from({ length: COUNT }, (_, n) => n);
const small = numbers.filter((n) => !isLarge(n)).map((n) => `e${n}`), large = numbers.filter(isLarge);

/** The event of a number; some are large and incompressible. */
function eventOf(n: number, bytes = 2000) {
  const note = crypto.getRandomValues(new Uint8Array(isLarge(n) ? bytes : 10)).toHex();
  const own = { type: "interaction", user: `u${n % 7}`, item: "i", action: "click" } as const;
  return { ...own, id: `e${n}`, time: TIME + n, context: { notes: note.match(/.{1,1000}/g) ?? [] } };
}

const events = numbers.map((n) => eventOf(n));
const source: readonly SourceRecord[] = events.map((event, n) => {
  return { kind: "event", event, file: "events.jsonl", line: n + 1 };
});
const foreign = events.map((event): NewRecord => {
  return { topic: THEIRS, key: null, value: encode(event), headers: { page: "home" }, time: event.time };
});

/** Feeds what is left. @returns events and rejections that it counts */
type Feed = (log: Log) => Promise<readonly [events: number, rejected: number]>;

const feedFile = async (log: Log, own = topics, lines = source) => {
  await using feeder = await Feeder.open(log, own, sourceOf(lines), { name: "events", batch: 7 });
  while (await feeder.feed());
  return [feeder.events, feeder.rejected] as const;
};
const feedTopic = async (log: Log, own = topics, topic = THEIRS) => {
  const followed = { log, topic, format: ownSource() } as const;
  await using feeder = await TopicFeeder.open(log, own, followed, { batch: 7, now: () => TIME + 1000 });
  while (await feeder.feed() > 0);
  return [feeder.events, feeder.rejected] as const;
};
const feeds: Record<string, Feed> = {
  "Feeder.feed()": feedFile,
  "TopicFeeder.feed()": feedTopic,
  "replayRejected()": async (log) => {
    const { taken, rejected } = await replayRejected(log, topics, ownSource(), { batch: 7 });
    return [taken, rejected];
  },
};

/** A log with all that is to be fed. */
async function newLog(largest: Record<string, number>): Promise<LimitedLog> {
  const log = new LimitedLog(largest);
  await log.createTopics([...topicSpecs(topics, 3), { name: THEIRS, partitions: 1, cleanup: "delete" }]);
  await log.append(foreign);
  return log;
}

/** Puts on `rejected` what is to be replayed. */
async function rejectAll(log: Log): Promise<void> {
  await log.append(events.map((event, offset): NewRecord => {
    const place = { topic: THEIRS, partition: 0, offset, source: "meander" };
    const rejection = rejectionOf(place, reject("unmapped", "for now"), encode(event));
    return { topic: topics.rejected, key: null, value: encodeRejection(rejection), time: event.time };
  }));
}

/** Ids of the events in each partition, and the rejections. */
async function contentOf(log: Log, own = topics) {
  const ids: string[][] = [];
  for (let partition = 0; partition < 3; partition++) {
    const records = await Array.fromAsync(readAll(log, own.events, partition));
    ids.push(records.map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? undefined)).id));
  }
  const rejected = await Array.fromAsync(readRejected(log, own, { code: "too-large" }));
  const rejections = rejected.map(({ rejection }) => rejection);
  return { ids, rejections };
}

for (const [name, feed] of Object.entries(feeds)) {
  Deno.test(`${name} rejects records too large for their topic, and resumes after a crash at any operation`, async () => {
    await using all = await newLog({});
    await rejectAll(all);
    assert.deepEqual(await feed(all), [COUNT, 0]);
    const want = (await contentOf(all)).ids.map((ids) => ids.filter((id) => small.includes(id)));
    for (let at = 1, isOver = false; !isOver; at++) {
      await using log = await newLog({ [topics.events]: 1000 });
      await rejectAll(log);
      try {
        assert.deepEqual(await feed(new CrashingLog(log, at)), [small.length, large.length]);
        isOver = true;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
      await feed(log);
      const { ids, rejections } = await contentOf(log);
      assert.deepEqual(ids, want, `crashed at ${at}`);
      const spots = rejections.map((one) => "file" in one ? one.line - 1 : one.offset);
      assert.deepEqual(spots.toSorted((a, b) => a - b), large, `crashed at ${at}`);
      for (const [i, { reason, bytes }] of rejections.entries()) {
        assert.equal(reason, `Cannot append to ${topics.events}: at most 1000 bytes`);
        const kept = JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(bytes)));
        assert.deepEqual(kept, events[spots[i] ?? -1]);
      }
    }
  });

  Deno.test(`${name} leaves the bytes out of a too large rejection, and fails if that is not enough`, async () => {
    await using log = await newLog({ [topics.events]: 1000 });
    await rejectAll(log);
    log.largest[topics.rejected] = 1000;
    assert.deepEqual(await feed(log), [small.length, large.length]);
    const { rejections } = await contentOf(log);
    const kept = rejections.map(({ bytes, cut, code }) => [bytes, cut, code]);
    assert.deepEqual(kept, large.map(() => ["", true, "too-large"]));
    await using none = await newLog({ [topics.events]: 1000 });
    await rejectAll(none);
    none.largest[topics.rejected] = 10;
    await assert.rejects(feed(none), { code: "too-large" });
  });
}

Deno.test("Feeder and TopicFeeder fail when a position is too large for its topic", async () => {
  await using log = await newLog({ [topics.positions]: 2 });
  for (const feed of [feedFile, feedTopic]) await assert.rejects(feed(log), { code: "too-large" });
});

const broker = await testBroker();
Deno.test({
  name: "feeders reject records that a real broker finds too large, each once, and continue",
  ignore: broker === undefined,
  fn: async () => {
    if (broker === undefined) return;
    const topic = THEIRS, of = (name: string) => topicNames(`${PREFIX}${name}.`);
    await using open = await openLog(broker, { topicConfig: { "max.message.bytes": "8000000" } });
    await open.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    const sized = numbers.map((n) => eventOf(n, 60_000));
    await open.append(sized.map((event) => ({ topic, key: null, value: encode(event), time: event.time })));
    await using log = await openLog(broker, { topicConfig: { "max.message.bytes": "40000" } });
    const lines: SourceRecord[] = sized.map((event, n) => {
      return { kind: "event", event, file: "events.jsonl", line: n + 1 };
    });
    const feeds = {
      topic: () => feedTopic(log, of("topic"), topic),
      file: () => feedFile(log, of("file"), lines),
    };
    for (const [name, feed] of Object.entries(feeds)) {
      await log.createTopics(topicSpecs(of(name), 3));
      assert.deepEqual(await feed(), [small.length, large.length]);
      await feed();
      const { ids, rejections } = await contentOf(log, of(name));
      assert.deepEqual(ids.flat().toSorted(), small.toSorted());
      assert.equal(rejections.length, large.length);
      assert.match(rejections[0]?.reason ?? "", /records are limited to 40000 bytes/);
    }
  },
});
