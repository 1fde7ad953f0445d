/** Laws of merging topics, on simulated sources whose records arrive by a virtual clock. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Log, NewRecord, ReadOptions } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { turnOf } from "../../streams/feeders/merge.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import type { ForeignTopic } from "../../streams/feeders/resumed_position.ts";
import { ownSource } from "../../streams/mapping/record_source.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;
const WAIT_MS = 100;

/** A record that will arrive. Times are milliseconds after {@linkcode TIME}. */
interface Coming {
  readonly topic: string;
  readonly partition: number;
  readonly time: number;
  readonly comesAt: number;
}

/** Whether a record cannot be read, and so has no time. */
const isOdd = ({ time }: Pick<Coming, "time">) => time % 7 === 3;

/** Keys do not matter: users are spread over partitions. */
function recordOf({ topic, partition, time, comesAt }: Coming, stampsArrival: boolean): NewRecord {
  const event = {
    type: "interaction",
    id: `${topic}-${partition}-${time}`,
    user: `u${time % 5}`,
    item: "i",
    action: "click",
    time: TIME + time,
  };
  const value = new TextEncoder().encode(isOdd({ time }) ? "{}" : JSON.stringify(event));
  return { topic, partition, key: `k${time % 3}`, value, time: TIME + (stampsArrival ? comesAt : time) };
}

/** Records in order within partitions, all at different times, each arriving within `delayMs` of its time. */
const comings = (delayMs: number) =>
  fc.array(
    fc.record({
      place: fc.integer({ min: 0, max: 3 }),
      gap: fc.integer({ min: 1, max: 60 }),
      delay: fc.integer({ min: 0, max: delayMs }),
    }),
    { minLength: 1, maxLength: 40 },
  ).map((drawn) => {
    let time = 0;
    const newest = [0, 0, 0, 0];
    return drawn.map(({ place, gap, delay }): Coming => {
      time += gap;
      const comesAt = newest[place] = Math.max(newest[place] ?? 0, time + delay);
      return { topic: place < 3 ? "views" : "clicks", partition: place % 3, time, comesAt };
    });
  });

class CountingLog extends MemoryLog {
  /** Records that each read of `views` gave. */
  readonly views: number[] = [];

  override async read(topic: string, partition: number, from: number, options?: ReadOptions) {
    const result = await super.read(topic, partition, from, options);
    if (topic === "views") this.views.push(result.records.length);
    return result;
  }
}

class World {
  readonly source = new CountingLog();
  readonly log = new MemoryLog();
  now = 0;
  readonly #coming: Coming[];
  readonly #stampsArrival: boolean;

  constructor(coming: readonly Coming[], stampsArrival: boolean) {
    this.#coming = coming.toSorted((a, b) => a.comesAt - b.comesAt || a.time - b.time);
    this.#stampsArrival = stampsArrival;
  }

  async begin(): Promise<this> {
    await this.log.createTopics(topicSpecs(topics, 1));
    await this.source.createTopics([
      { name: "views", partitions: 3, cleanup: "delete" },
      { name: "clicks", partitions: 1, cleanup: "delete" },
    ]);
    return this;
  }

  async advance(ms: number): Promise<void> {
    this.now += ms;
    while ((this.#coming[0]?.comesAt ?? Infinity) <= this.now) {
      const next = this.#coming.shift();
      if (next !== undefined) await this.source.append([recordOf(next, this.#stampsArrival)]);
    }
  }

  async open(log: Log = this.log, batch = 1000, more: Partial<ForeignTopic> = {}): Promise<TopicFeeder> {
    const common = { log: this.source, format: ownSource(), waitMs: WAIT_MS, ...more } as const;
    const sources = [{ ...common, topic: "views" }, { ...common, topic: "clicks" }];
    const options = { name: "all", batch, now: () => TIME + this.now, clock: () => this.now };
    return await TopicFeeder.open(log, topics, sources, options);
  }

  /** Times on `events`, in their order. */
  async times(): Promise<readonly number[]> {
    const times: number[] = [];
    for await (const { value } of readAll(this.log, topics.events, 0)) {
      times.push(JSON.parse(new TextDecoder().decode(value ?? undefined)).time - TIME);
    }
    return times;
  }
}

const sorted = (coming: readonly Coming[]) =>
  coming.filter((one) => !isOdd(one)).map(({ time }) => time).toSorted((a, b) => a - b);

Deno.test("TopicFeeder merges topics in order of time when records arrive within the wait", async () => {
  await fc.assert(
    fc.asyncProperty(
      comings(WAIT_MS - 1),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      async (coming, stampsArrival, steps, batch) => {
        const world = await new World(coming, stampsArrival).begin();
        await using feeder = await world.open(world.log, batch);
        for (let n = 0; feeder.events + feeder.rejected < coming.length; n++) {
          assert.ok(n < 10_000, "it ends");
          await world.advance(steps[n % steps.length] ?? 1);
          while (await feeder.feed() > 0);
        }
        assert.deepEqual(await world.times(), sorted(coming));
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("TopicFeeder merges existing records in order of time without waiting, whenever they arrived", async () => {
  await fc.assert(
    fc.asyncProperty(comings(5000), fc.integer({ min: 1, max: 9 }), async (coming, batch) => {
      const world = await new World(coming, true).begin();
      await world.advance(1_000_000);
      await using feeder = await world.open(world.log, batch, { waitMs: 0 });
      while (await feeder.feed() > 0);
      assert.deepEqual(await world.times(), sorted(coming));
    }),
    { numRuns: 100 },
  );
});

Deno.test("TopicFeeder holds no record longer than the wait after its arrival, even if a topic is idle or lags", async () => {
  const views = Array.from({ length: 20 }, (_, n): Coming => {
    const time = 1 + 40 * n;
    return { topic: "views", partition: n % 3, time, comesAt: time };
  });
  // Clicks trickle in an hour late.
  const clicks = Array.from({ length: 20 }, (_, n): Coming => {
    const comesAt = 3 + 40 * n;
    return { topic: "clicks", partition: 0, time: -3_600_000 + comesAt, comesAt };
  });
  for (const coming of [views, [...views, ...clicks]]) {
    const world = await new World(coming, true).begin();
    await using feeder = await world.open();
    const wentAt = new Map<number, number>();
    for (let ms = 0; ms < 2000; ms += 5) {
      await world.advance(5);
      while (await feeder.feed() > 0);
      for (const time of await world.times()) if (!wentAt.has(time)) wentAt.set(time, world.now);
    }
    const fine = coming.filter((one) => !isOdd(one));
    assert.equal(wentAt.size, fine.length);
    for (const { time, comesAt } of fine) {
      assert.ok(
        (wentAt.get(time) ?? Infinity) <= comesAt + WAIT_MS + 5,
        `${time} went at ${wentAt.get(time)}`,
      );
    }
  }
});

Deno.test("turnOf() takes a record without a time at once, and the first partition's among equals", () => {
  const partition = (time?: number) => {
    return {
      head: time === undefined ? undefined : { time, cameAt: 0 },
      emptyAt: -Infinity,
      waitMs: WAIT_MS,
    };
  };
  const [empty, timeless, one, other] = [partition(), partition(-Infinity), partition(1), partition(1)];
  assert.deepEqual(turnOf([empty, one]), { awaited: [empty], from: WAIT_MS });
  const turn = turnOf([empty, one, timeless]);
  assert.ok(turn && "partition" in turn && turn.partition === timeless);
  const first = turnOf([one, other]);
  assert.ok(first && "partition" in first && first.partition === one);
  assert.equal(turnOf([empty, empty]), undefined);
});

Deno.test("TopicFeeder resumes after a crash at any operation, with all records once and in order", async () => {
  const coming = Array.from({ length: 24 }, (_, n): Coming => {
    const place = (n * 7) % 4;
    const time = 1 + n * 10;
    return {
      topic: place < 3 ? "views" : "clicks",
      partition: place % 3,
      time,
      comesAt: time + (n * 13) % 90,
    };
  });
  const run = async (world: World, log: Log, batch: number) => {
    await using feeder = await world.open(log, batch);
    while (world.now < 600) {
      await world.advance(15);
      while (await feeder.feed() > 0);
    }
  };
  const whole = new CrashingLog((await new World([], true).begin()).log);
  {
    const world = await new World(coming, true).begin();
    const log = new CrashingLog(world.log);
    await run(world, log, 3);
    whole.operations = log.operations;
    assert.deepEqual(await world.times(), sorted(coming));
  }
  for (let at = 1; at < whole.operations; at++) {
    const world = await new World(coming, true).begin();
    await assert.rejects(run(world, new CrashingLog(world.log, at), 3), Crash);
    const before = await world.times();
    world.now = Math.min(world.now, 590);
    await run(world, world.log, 2);
    const after = await world.times();
    assert.deepEqual(after.slice(0, before.length), before, `after a crash at operation ${at}`);
    assert.deepEqual(after, sorted(coming), `after a crash at operation ${at}`);
  }
});

Deno.test("TopicFeeder does not read further in a topic that is ahead", async () => {
  const world = await new World([], true).begin();
  const ahead = Array.from(
    { length: 4000 },
    (_, n) => ({ topic: "views", partition: 0, time: 10_000 + n, comesAt: 0 }),
  );
  const behind = Array.from(
    { length: 3000 },
    (_, n) => ({ topic: "clicks", partition: 0, time: n, comesAt: 0 }),
  );
  await world.source.append([...ahead, ...behind].map((one) => recordOf(one, false)));
  world.now = 1_000_000;
  await using feeder = await world.open();
  for (let n = 0; n < 3; n++) await feeder.feed();
  assert.deepEqual(
    world.source.views.filter((count) => count > 0),
    [1000],
    "one read of the topic that is ahead",
  );
  assert.deepEqual(await world.times(), sorted(behind));
});

Deno.test("a record far ahead or behind moves its partition's records by a few places at most", async () => {
  for (const oddMs of [30 * 86_400_000, 3_600_000, -3_600_000]) {
    const world = await new World([], true).begin();
    const coming = Array.from(
      { length: 900 },
      (_, n) => ({ topic: "views", partition: n % 3, time: 7 * n, comesAt: 0 }),
    );
    const odd = (n: number) => n % 45 < 2; // two at a time
    await world.source.append(
      coming.map((one, n) => ({
        ...recordOf(odd(n) ? { ...one, time: one.time + 7 * Math.round(oddMs / 7) } : one, false),
        time: TIME + 90 * 86_400_000, // loaded later
      })),
    );
    world.now = 100 * 86_400_000;
    await using feeder = await world.open(world.log, 100, { waitMs: 0 });
    while (await feeder.feed() > 0);
    const fine = new Set(coming.filter((_, n) => !odd(n)).map(({ time }) => time));
    const times = (await world.times()).filter((time) => fine.has(time));
    assert.equal(times.length, fine.size);
    const wanted = times.toSorted((a, b) => a - b);
    const off = times.map((time, i) => Math.abs(wanted.indexOf(time) - i));
    assert.ok(Math.max(...off) <= 12, `places are off by ${Math.max(...off)} at most, odd by ${oddMs} ms`);
  }
});
