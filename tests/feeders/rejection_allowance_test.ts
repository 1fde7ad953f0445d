/** However much of a source is rejected, what is written of it is bounded and stands for the rest, even over crashes. */

import assert from "node:assert/strict";
import { countOf, type Rejection } from "../../src/events/rejection.ts";
import { Feeder, HopelessSourceError } from "../../streams/feeders/feeder.ts";
import { countRejected, readRejected } from "../../streams/feeders/rejected_records.ts";
import { ALLOWED_BYTES, RejectionAllowance } from "../../streams/feeders/rejection_allowance.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { ownSource } from "../../streams/mapping/record_source.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { positionRecord } from "../../streams/topics/feeder_position.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { listen } from "../log/warnings.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { sourceOf } from "../sources/synthetic.ts";

const topics = topicNames();
const TIME = Date.UTC(2026, 10, 27, 10);
const LARGE = "A".repeat(87_000);

function rejection(n: number, over: Partial<Rejection> = {}): Rejection {
  const at = { file: "f", line: n + 1 };
  return { ...at, code: "not-an-object", reason: "Cannot take it", bytes: LARGE, ...over } as Rejection;
}

function rejected(count: number): SourceRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const one = rejection(n);
    return { kind: "rejected", rejection: one, file: "f", line: n + 1 };
  });
}

const event = (n: number): SourceRecord => ({
  kind: "event",
  event: { type: "interaction", id: `e${n}`, user: `u${n % 3}`, item: "i", action: "click", time: TIME + n },
  file: "f",
  line: n + 1,
});

async function newLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  return log;
}

async function onTopic(log: Log): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for await (const { value, key } of readAll(log, topics.rejected, 0)) {
    const { line, offset, others, code } = JSON.parse(new TextDecoder().decode(value ?? undefined));
    all.push([key, line ?? offset, code, others ?? 0]);
  }
  return all;
}

Deno.test("RejectionAllowance keeps all it has room for, then a sample whose counts stand for the rest", () => {
  for (const refill of [0, 100, 70_000]) {
    const allowance = new RejectionAllowance();
    let kept = 0, bytes = 0, counted = 0;
    const COUNT = 100_000;
    for (let n = 0; n < COUNT; n++) {
      allowance.take(refill);
      const one = allowance.keep(rejection(n));
      if (one === null) continue;
      kept++;
      bytes += one.bytes.length;
      counted += countOf(one);
    }
    const bound = ALLOWED_BYTES + COUNT * refill + 4 * 99 * LARGE.length;
    assert.ok(bytes <= bound, `refill ${refill}: ${bytes} of ${bound}`);
    assert.ok(counted <= COUNT && counted > 0.9 * COUNT, `refill ${refill}: ${counted} counted`);
    assert.ok(kept >= ALLOWED_BYTES / 2 / LARGE.length);
  }
});

Deno.test("RejectionAllowance keeps some of each kind, and continues from its state as if uninterrupted", () => {
  const codes = ["not-an-object", "missing-field", "unmapped"] as const;
  const stream = Array.from(
    { length: 4000 },
    (_, n) =>
      rejection(n, { code: n < 3500 ? codes[n % 2]! : "unmapped", ...(n % 5 === 0 && { rule: "r" }) }),
  );
  const whole = new RejectionAllowance();
  const want = stream.map((one) => whole.keep(one));
  assert.ok(want.filter((one) => one?.code === "unmapped").length > 90);
  let stopped = new RejectionAllowance();
  const got = stream.map((one, n) => {
    if (n % 97 === 0) {
      const state = stopped.state;
      stopped = new RejectionAllowance(state && JSON.parse(JSON.stringify(state)));
    }
    return stopped.keep(one);
  });
  assert.deepEqual(got, want);
});

Deno.test("Feeder.feed() writes a bounded sample of rejections, the same whatever the batches and crashes", async () => {
  const records = [...rejected(1500), event(1500), event(1501)];
  const feedAll = async (log: Log, batch: number) => {
    await using feeder = await Feeder.open(log, topics, sourceOf(records), { name: "f", batch });
    while (await feeder.feed());
    return feeder;
  };
  const log = await newLog();
  const feeder = await feedAll(log, 1000);
  assert.deepEqual([feeder.events, feeder.rejected], [2, 1500]);
  const want = await onTopic(log);
  assert.ok(want.length < 1000, `${want.length} are kept`);
  const [{ count = 0 } = {}] = await countRejected(readRejected(log, topics));
  assert.ok(count > 1400 && count <= 1500, `${count} are counted`);
  const whole = new CrashingLog(await newLog());
  await feedAll(whole, 600);
  for (let at = whole.operations - 2; at < whole.operations; at++) {
    const log = await newLog();
    await assert.rejects(feedAll(new CrashingLog(log, at), 600), Crash);
    assert.equal((await feedAll(log, 450)).rejected, 1500);
    assert.deepEqual(await onTopic(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("TopicFeeder.feed() samples a topic that is wholly rejected, the same over crashes, and logs it", async () => {
  await using heard = await listen();
  const broken = async () => {
    const log = await newLog();
    await log.append(Array.from({ length: 400 }, (_, n) => ({
      topic: "clicks",
      key: `k${n}`,
      time: TIME + n,
      value: new TextEncoder().encode(n % 50 === 49 ? "[" : `{"n":${n}}`),
    })));
    const { id } = (await log.identify("clicks"))!;
    const position = { id, next: [0], allowance: { left: 3000, beyond: {} } };
    await log.append([positionRecord(topics, "meander.events-feeder-clicks", position)]);
    return log;
  };
  const feedAll = async (log: Log, batch: number) => {
    const source = { log, topic: "clicks", format: ownSource() };
    await using feeder = await TopicFeeder.open(log, topics, source, {
      name: "clicks",
      batch,
      now: () => TIME + 1000,
    });
    while (await feeder.feed() > 0);
    return feeder;
  };
  const log = await broken();
  assert.equal((await feedAll(log, 1000)).rejected, 400);
  const want = await onTopic(log);
  assert.ok(want.length > 100 && want.length < 160, `${want.length} are kept`);
  assert.equal(heard.messages.filter((message) => /most of clicks is rejected/.test(message)).length, 1);
  const whole = new CrashingLog(await broken());
  await feedAll(whole, 90);
  for (let at = 1; at < whole.operations; at++) {
    const log = await broken();
    await assert.rejects(feedAll(new CrashingLog(log, at), 90), Crash);
    await feedAll(log, 70);
    assert.deepEqual(await onTopic(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("Feeder.feed() appends nothing of a source whose first records would all be rejected", async () => {
  const log = await newLog();
  const feed = async (records: readonly SourceRecord[], maxRejectedFirst?: number) => {
    await using feeder = await Feeder.open(log, topics, sourceOf([...records]), {
      name: "f",
      batch: 7,
      maxRejectedFirst,
    });
    while (await feeder.feed());
    return [feeder.events, feeder.rejected];
  };
  const records = [...rejected(20), event(20)];
  await assert.rejects(feed(records, 20), (error) => {
    assert.ok(error instanceof HopelessSourceError);
    assert.match(error.message, /its first 20 records would all be rejected, so nothing was appended/);
    assert.deepEqual(error.first, rejection(0));
    return true;
  });
  assert.deepEqual(await onTopic(log), []);
  assert.deepEqual(await feed(records.slice(0, 19), 20), [0, 19], "the source may be as short as that");
  assert.deepEqual(await feed(records, 20), [1, 20], "what was begun goes on");
  assert.equal((await onTopic(log)).length, 20);
  const [first, ...rest] = rejected(40);
  const begun = [first!, event(1)];
  const another = await newLog();
  await using feeder = await Feeder.open(another, topics, sourceOf(begun), { name: "f" });
  while (await feeder.feed());
  await using resumed = await Feeder.open(another, topics, sourceOf([...begun, ...rest]), {
    name: "f",
    batch: 7,
    maxRejectedFirst: 20,
  });
  while (await resumed.feed());
  assert.equal(resumed.rejected, 40, "one of its first records was accepted, before it was resumed");
});
