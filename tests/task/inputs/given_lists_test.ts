import assert from "node:assert/strict";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { layered } from "../../../streams/log/metered_log.ts";
import type { NewRecord } from "../../../streams/log/log.ts";
import { GivenLists } from "../../../streams/task/inputs/given_lists.ts";
import { INPUT } from "../../../streams/topics/delivery.ts";

const TOPIC = "answers";
const ANSWERS = 6000;

function answer(request: number): NewRecord {
  const value = new TextEncoder().encode(JSON.stringify({ request: `r${request}`, items: [] }));
  return { topic: TOPIC, partition: 0, key: "ann", value, time: 0, headers: { [INPUT]: `0/${request}/0` } };
}

Deno.test("GivenLists finds the answer to each request, however many foreign records lie among them", async () => {
  const answers = Array.from({ length: ANSWERS }, (_, request) => answer(request));
  const foreign: NewRecord = { topic: TOPIC, partition: 0, key: null, value: new Uint8Array([120]), time: 0 };
  for (const many of [0, 1, 3000]) {
    for (const at of [0, ANSWERS / 4, ANSWERS / 2, ANSWERS]) {
      await using log = new MemoryLog();
      await log.createTopics([{ name: TOPIC, partitions: 1, cleanup: "delete" }]);
      await log.append(answers.toSpliced(at, 0, ...Array.from({ length: many }, () => foreign)));
      const lists = new GivenLists(log, TOPIC, 0);
      for (let request = 100; request < ANSWERS; request++) {
        await lists.readTo(100, request);
        assert.ok(lists.take(request) !== null, `${many} at ${at}: no answer to ${request}`);
      }
    }
  }
});

Deno.test("GivenLists finds answers that stand before repetitions of older ones", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: TOPIC, partitions: 1, cleanup: "delete" }]);
  const answers = Array.from({ length: 600 }, (_, request) => answer(request));
  await log.append(answers); // sent early, and in part again after each of many crashes
  for (let crash = 0; crash < 8; crash++) await log.append(answers.slice(300, 400));
  const lists = new GivenLists(log, TOPIC, 0);
  for (let request = 450; request < 600; request++) {
    await lists.readTo(450, request);
    assert.ok(lists.take(request) !== null, `no answer to ${request}`);
  }
});

Deno.test("GivenLists reads past offsets without records", async () => {
  await using log = new MemoryLog();
  await log.createTopics([{ name: TOPIC, partitions: 1, cleanup: "delete" }]);
  await log.append(Array.from({ length: 20 }, (_, request) => answer(request)));
  const holes = layered(log, {
    async read(topic, partition, from, options) {
      if (from === 5) return { records: [], next: 8 }; // as an aborted transaction leaves it
      const { records, next } = await log.read(topic, partition, from, options);
      const before = records.filter(({ offset }) => from > 5 || offset < 5);
      return { records: before, next: before.length < records.length ? 5 : next };
    },
  });
  const lists = new GivenLists(holes, TOPIC, 0);
  await lists.readTo(0, 19);
  for (let request = 0; request < 20; request++) {
    assert.equal(lists.take(request) !== null, request < 5 || request >= 8, `${request}`);
  }
});
