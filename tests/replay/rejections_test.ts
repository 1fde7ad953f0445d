import assert from "node:assert/strict";
import { encodeRejection, rejectionOf } from "../../src/events/rejection.ts";
import type { RejectionCode } from "../../src/events/rejected.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { RejectionSummary } from "../../streams/replay/rejections.ts";

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([{ name: "r", partitions: 1, cleanup: "delete" }]);
  return log;
}

async function reject(log: MemoryLog, code: RejectionCode, line: number, text: string): Promise<void> {
  const refusal = { ok: false, code, reason: `Cannot take it: ${code}` } as const;
  const bytes = new TextEncoder().encode(text);
  const value = encodeRejection(rejectionOf({ file: "events.jsonl", line }, refusal, bytes));
  await log.append([{ topic: "r", key: null, value, time: 0 }]);
}

Deno.test("RejectionSummary.update() counts by code, most frequent first, with up to three examples each", async () => {
  const log = await createLog();
  const summary = new RejectionSummary();
  for (let line = 1; line <= 5; line++) await reject(log, "wrong-type", line, `line ${line}`);
  for (let line = 6; line <= 7; line++) await reject(log, "invalid-json", line, `line ${line}`);
  await reject(log, "empty-list", 8, "line 8");
  await summary.update(log, "r", false);
  assert.equal(summary.count, 8);
  assert.deepEqual(summary.groups.map(({ code, count, examples }) => [code, count, examples.length]), [
    ["wrong-type", 5, 3],
    ["invalid-json", 2, 2],
    ["empty-list", 1, 1],
  ]);
  assert.deepEqual(summary.groups[0]?.examples[0], {
    where: "events.jsonl:1",
    reason: "Cannot take it: wrong-type",
    text: "line 1",
  });
  await summary.update(log, "r", false);
  assert.equal(summary.count, 8, "nothing is counted twice");
});

Deno.test("RejectionSummary.update() with trim drops what it has read, and keeps counting", async () => {
  const log = await createLog();
  const summary = new RejectionSummary();
  for (let line = 1; line <= 3; line++) {
    await reject(log, "invalid-json", line, "x");
    await summary.update(log, "r", true);
    const { start, end } = await log.bounds("r", 0);
    assert.deepEqual([start, end], [line, line]);
  }
  assert.equal(summary.count, 3);
});

Deno.test("RejectionSummary.groups has examples that are short and safe for a terminal", async () => {
  const log = await createLog();
  const summary = new RejectionSummary();
  await reject(log, "invalid-json", 1, "\x1b[31mred\r\n\0" + "ä€😀".repeat(300));
  await summary.update(log, "r", false);
  const text = summary.groups[0]?.examples[0]?.text ?? "";
  assert.ok(text.length > 20 && text.length < 300, `${text.length} characters`);
  // deno-lint-ignore no-control-regex -- this is what must not be there
  assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f]/);
});

Deno.test("RejectionSummary.groups names a record's place on the log", async () => {
  const log = await createLog();
  const refusal = { ok: false, code: "too-late", reason: "late" } as const;
  const place = { topic: "meander.events", partition: 3, offset: 17 };
  const value = encodeRejection(rejectionOf(place, refusal, new Uint8Array(0)));
  await log.append([{ topic: "r", key: null, value, time: 0 }]);
  const summary = new RejectionSummary();
  await summary.update(log, "r", false);
  assert.equal(summary.groups[0]?.examples[0]?.where, "meander.events/3@17");
});
