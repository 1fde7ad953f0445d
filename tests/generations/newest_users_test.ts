import assert from "node:assert/strict";
import { TaskState } from "../../src/engine/task_state.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { usersOf } from "../../streams/generations/build/newest_users.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { SMALL } from "../engine/streams.ts";

const TOPIC = "state";

/** A log with three records of each user, in a topic that is not compacted. */
async function filled(users: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([{ name: TOPIC, partitions: 1, cleanup: "delete" }]);
  for (let n = 0; n < 3 * users; n++) {
    const [key, value] = [`u${n % users}`, Uint8Array.of(n)];
    await log.append([{ topic: TOPIC, partition: 0, key, value, time: 0 }]);
  }
  return log;
}

/** Who is found, and with which record. */
async function found(log: Log): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  const isWanted = (id: string, [value = NaN]: Uint8Array) => {
    assert.ok(!seen.has(id), `${id} twice`);
    seen.set(id, value);
    return false;
  };
  for await (const _ of usersOf(log, TOPIC, new TaskState(SMALL, PRIOR), isWanted));
  return seen;
}

Deno.test("usersOf() finds each user once, with the newest record, while more is written", async () => {
  await using log = await filled(40);
  assert.deepEqual(await found(log), new Map(Array.from({ length: 40 }, (_, n) => [`u${n}`, 80 + n])));
  let reads = 0;
  const busy = layered(log, {
    read: async (topic, partition, from) => {
      if (++reads % 3 === 0) {
        const record = { topic, partition, key: `u${reads % 50}`, value: Uint8Array.of(200), time: 0 };
        await log.append([record]);
      }
      return await log.read(topic, partition, from, { maxRecords: 7 });
    },
  });
  const seen = await found(busy);
  for (let n = 0; n < 40; n++) assert.ok(seen.get(`u${n}`)! >= 80 + n, `u${n}`);
});

Deno.test("usersOf() fails rather than leaving users out when a lagging broker answers", async () => {
  await using log = await filled(40);
  for (let empty = 0; empty < 30; empty++) {
    let reads = 0;
    const lagging = layered(log, {
      read: async (topic, partition, from) =>
        reads++ === empty
          ? { records: [], next: from }
          : await log.read(topic, partition, from, { maxRecords: 9 }),
    });
    const users = await found(lagging).catch((error) => {
      if (error instanceof LogError && error.code === "closed") return null;
      throw error;
    });
    if (users !== null) assert.equal(users.size, 40, `read ${empty} of ${reads}`);
  }
});
