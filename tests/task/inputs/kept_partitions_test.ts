import assert from "node:assert/strict";
import type { NewRecord } from "../../../streams/log/log.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { partitionOf } from "../../../streams/log/partitioner.ts";
import { keepPartitions, unreadPartitions } from "../../../streams/task/inputs/kept_partitions.ts";
import { all } from "../../contracts/log_suite.ts";

const KEYS = Array.from({ length: 40 }, (_, i) => `u${i}`);

Deno.test("keepPartitions() routes keys as before partitions were added, in appends and commits", async () => {
  await using whole = new MemoryLog();
  await whole.createTopics(["events", "other"].map((name) => ({ name, partitions: 5, cleanup: "delete" })));
  const kept = new Map([["events", 2]]);
  const log = keepPartitions(whole, kept);
  const to = (topic: string): NewRecord[] => KEYS.map((key) => ({ topic, key, value: null, time: 1 }));
  await log.append([...to("events"), ...to("other"), { ...to("events")[0]!, partition: 4 }]);
  {
    await using writer = await log.writer("writer");
    await writer.commit({ records: to("events"), group: "", offsets: [] });
  }
  const keysOf = async (topic: string, partition: number) =>
    (await all(whole, topic, partition)).map(({ key }) => key);
  for (const p of [0, 1]) {
    const own = KEYS.filter((key) => partitionOf(key, 2) === p);
    assert.deepEqual(await keysOf("events", p), [...own, ...own]);
  }
  assert.deepEqual(await keysOf("events", 4), ["u0"], "a record that names a partition goes there");
  for (let p = 0; p < 5; p++) {
    assert.deepEqual(await keysOf("other", p), KEYS.filter((key) => partitionOf(key, 5) === p));
  }
  for (const [topic, partitions] of [["events", 2], ["other", 5]] as const) {
    assert.equal((await log.identify(topic))?.partitions, partitions);
    assert.equal((await log.topics()).get(topic)?.partitions, partitions);
  }
  assert.equal(await log.identify("none"), null);
  assert.equal(unreadPartitions(kept, await whole.topics()), 3);
  assert.equal(unreadPartitions(kept, await log.topics()), 0);
  assert.equal(unreadPartitions(kept, new Map()), 0);
});

Deno.test("keepPartitions() assigns none of the added partitions to a member of a group", async () => {
  await using whole = new MemoryLog();
  await whole.createTopics([{ name: "events", partitions: 5, cleanup: "delete" }]);
  const held: number[] = [];
  const handlers = {
    assigned: (partitions: readonly number[]) => Promise.resolve(void held.push(...partitions)),
    revoked: (partitions: readonly number[]) =>
      Promise.resolve(partitions.forEach((partition) => held.splice(held.indexOf(partition), 1))),
  };
  {
    await using _member = await keepPartitions(whole, new Map([["events", 2]])).join(
      "tasks",
      ["events"],
      handlers,
    );
    assert.deepEqual(held, [0, 1]);
  }
  assert.deepEqual(held, []);
});
