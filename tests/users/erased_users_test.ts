import assert from "node:assert/strict";
import { ErasedUsers, isErasedKey } from "../../src/users/erased_users.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { CarriedErasures, erasedOn } from "../../streams/task/erased_on.ts";
import { generationTopics, topicNames } from "../../streams/topics/topics.ts";

/** Commits to what the log keeps: the newest record of each key. @returns bytes written */
function kept(erased: ErasedUsers, onLog: Map<string, Uint8Array>): number {
  const changes = erased.changes();
  for (const { key, value } of changes) onLog.set(key, value);
  return changes.reduce((sum, { value }) => sum + value.length, 0);
}

function restored(onLog: ReadonlyMap<string, Uint8Array>): ErasedUsers {
  const erased = new ErasedUsers();
  for (const [key, value] of onLog) erased.restore(key, value);
  return erased;
}

Deno.test("ErasedUsers keeps 2,500 users over restarts, and rewrites at most a thousand per commit", () => {
  let erased = new ErasedUsers();
  const onLog = new Map<string, Uint8Array>();
  for (let n = 0; n < 2500; n++) {
    erased.note(`u${n}`, 1_800_000_000_000 + n);
    if (n % 7 === 0) assert.ok(kept(erased, onLog) < 80_000);
    if (n % 490 === 0) erased = restored(onLog);
  }
  kept(erased, onLog);
  for (const known of [erased, restored(onLog)]) {
    for (let n = 0; n < 2500; n++) {
      assert.ok(known.includes(`u${n}`, 1_800_000_000_000 + n));
      assert.ok(!known.includes(`u${n}`, 1_800_000_000_001 + n), "later events begin a new life");
    }
    assert.ok(!known.includes("nobody", 0));
  }
  assert.deepEqual([...onLog.keys()].sort(), ["erased", "erased/1", "erased/2"]);
});

Deno.test("ErasedUsers.carry() takes over another's users, each once, with the later time", () => {
  const [before, now] = [new ErasedUsers(), new ErasedUsers()];
  for (let n = 0; n < 1200; n++) before.note(`u${n}`, 10);
  now.note("u1", 20);
  for (const { value } of before.changes()) now.carry(value);
  const onLog = new Map<string, Uint8Array>();
  kept(now, onLog);
  const again = restored(onLog);
  assert.ok(again.includes("u1", 20) && again.includes("u1199", 10) && !again.includes("u2", 11));
  kept(again, onLog);
  assert.equal(again.changes().length, 0);
});

const PREFIX = "erased.", TOPIC = topicNames(PREFIX).statistics, OTHERS = 5000;

/** A log on which 2,500 users were erased before much else was written, with counts of what is read from it. */
async function logOf(isIndexed: boolean) {
  const whole = new MemoryLog();
  await whole.createTopics([{ name: TOPIC, partitions: 1, cleanup: "compact" }]);
  const erased = new ErasedUsers();
  for (let n = 0; n < 2500; n++) {
    erased.note(`u${n}`, n);
    if (n % 500 > 0) continue;
    await whole.append(
      erased.changes().map((change) => ({ topic: TOPIC, partition: 0, ...change, time: 0 })),
    );
  }
  await whole.append(erased.changes().map((change) => ({ topic: TOPIC, partition: 0, ...change, time: 0 })));
  const place = { topic: TOPIC, partition: 0, value: new Uint8Array(1), time: 0 };
  await whole.append(Array.from({ length: OTHERS }, (_, n) => ({ ...place, key: `item:${n}` })));
  const figures = { read: 0, looked: 0 };
  const log: Log = layered(whole, {
    read: async (...place) => {
      const result = await whole.read(...place);
      figures.read += result.records.length;
      return result;
    },
    latest: isIndexed
      ? async (...place) => {
        const record = await whole.latest(...place);
        if (isErasedKey(place[2]) && record !== null) figures.looked++;
        return record;
      }
      : undefined as never,
  });
  const erase = async (user: string, time: number) => {
    erased.note(user, time);
    await whole.append(
      erased.changes().map((change) => ({ topic: TOPIC, partition: 0, ...change, time: 0 })),
    );
  };
  return { log, figures, erase };
}

for (const isIndexed of [true, false]) {
  Deno.test(`erasedOn() finds all erased users ${isIndexed ? "by the index, without reading" : "in one pass"}`, async () => {
    const { log, figures } = await logOf(isIndexed);
    await using _log = log;
    const erased = await erasedOn(log, TOPIC, 0);
    for (let n = 0; n < 2500; n++) assert.ok(erased.includes(`u${n}`, n) && !erased.includes(`u${n}`, n + 1));
    assert.ok(figures.read <= (isIndexed ? 0 : OTHERS + 20), `${figures.read} records are read`);
  });
}

Deno.test("CarriedErasures.follow() reads again only the records that have changed", async () => {
  const { log, figures, erase } = await logOf(true);
  await using _log = log;
  const topics = generationTopics(topicNames(PREFIX), 2);
  const known = new ErasedUsers();
  const carried = new CarriedErasures(log, topics, 0, known);
  await carried.follow();
  for (let n = 0; n < 2500; n++) assert.ok(known.includes(`u${n}`, n));
  assert.equal(figures.looked, 3);
  await erase("late", 7);
  assert.ok(!known.includes("late", 7));
  await carried.follow();
  assert.ok(known.includes("late", 7) && !known.includes("late", 8));
  assert.equal(figures.looked, 4);
  for (let n = 0; n < 1500; n++) await erase(`late${n}`, 8);
  await carried.follow();
  for (let n = 0; n < 1500; n++) assert.ok(known.includes(`late${n}`, 8));
  assert.ok(figures.looked <= 7, `${figures.looked} records`);
});
