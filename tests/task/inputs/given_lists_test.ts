import assert from "node:assert/strict";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import type { NewRecord } from "../../../streams/log/log.ts";
import { GivenLists } from "../../../streams/task/inputs/given_lists.ts";
import { INPUT } from "../../../streams/topics/delivery.ts";

const TOPIC = "answers";
const ANSWERS = 6000;

function answer(request: number): NewRecord {
  const value = new TextEncoder().encode(JSON.stringify({ request: `r${request}`, items: [] }));
  return { topic: TOPIC, partition: 0, key: "ann", value, time: 0, headers: { [INPUT]: `0/${request}/0` } };
}

Deno.test("GivenLists finds the answers to all requests, whatever others have written among them", async () => {
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
