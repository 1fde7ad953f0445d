import assert from "node:assert/strict";
import { remarksOn, seenRejections } from "../../../scripts/check/rejections.ts";
import { encodeRejection, rejectionOf } from "../../../src/events/rejection.ts";
import type { RejectionCode } from "../../../src/events/rejected.ts";
import type { Log } from "../../../streams/log/log.ts";
import { MemoryLog } from "../../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../../streams/topics/topics.ts";

const topics = topicNames();
const NOW = 1_700_000_000_000;
const DAY = 86_400_000;
const value = new TextEncoder().encode("{}");

interface Batch {
  readonly count: number;
  /** Days before now. */
  readonly days: number;
}

/** A log with an index of times, which has events and rejected records, oldest first. */
async function logWith(events: readonly Batch[], rejected: readonly (Batch & { code: RejectionCode })[]) {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  for (const { count, days } of events) {
    await log.append(Array.from({ length: count }, (_, n) => ({
      topic: topics.events,
      partition: n % 2,
      key: `u${n}`,
      value,
      time: NOW - days * DAY,
    })));
  }
  for (const { count, days, code } of rejected) {
    const place = { topic: "clicks", partition: 0, offset: 7, source: "shop" };
    const bytes = encodeRejection(rejectionOf(place, { ok: false, code, reason: "no rule" }, value));
    await log.append(Array.from({ length: count }, (_, n) => ({
      topic: topics.rejected,
      partition: n % 2,
      key: null,
      value: bytes,
      time: NOW - days * DAY,
    })));
  }
  const since: Log["since"] = async (topic, partition, time) => {
    const { records } = await log.read(topic, partition, 0, { maxRecords: 1e6, maxBytes: 1e9 });
    return records.find((record) => record.time >= time)?.offset ?? null;
  };
  return new Proxy<Log>(log, {
    get(inner, name: keyof Log) {
      if (name === "since") return since;
      return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
    },
  });
}

async function remarksFor(...args: Parameters<typeof logWith>) {
  await using log = await logWith(...args);
  const seen = await seenRejections(log, topics, NOW);
  return (known?: number) => remarksOn(seen, known);
}

Deno.test("remarksOn() says nothing when nothing was rejected", async () => {
  const remarks = await remarksFor([{ count: 100, days: 3 }], []);
  assert.deepEqual(remarks(), []);
});

Deno.test("remarksOn() notes a few rejected records of many, with counts by reason and a remedy", async () => {
  const remarks = await remarksFor([{ count: 3000, days: 3 }], [
    { count: 30, days: 3, code: "unmapped" },
    { count: 12, days: 2, code: "not-json" },
  ]);
  const [remark] = remarks();
  assert.equal(remark?.isProblem, false);
  assert.match(
    remark.what,
    /^42 records were rejected, beside 3000 events and items, the newest 2023-11-12T/,
  );
  assert.match(remark.what, /: 30 unmapped from "clicks" by "shop", 12 not-json from "clicks" by "shop"$/);
  assert.match(remark.remedy, /rejected list/);
});

Deno.test("remarksOn() makes a large share a problem until it is acknowledged", async () => {
  const remarks = await remarksFor([{ count: 300, days: 3 }], [{ count: 30, days: 3, code: "unmapped" }]);
  const [remark] = remarks();
  assert.equal(remark?.isProblem, true);
  assert.match(remark.remedy, /--known rejected=30/);
  assert.equal(remarks(20)[0]?.isProblem, false, "ten more of 300 are few");
  assert.equal(remarks(30)[0]?.isProblem, false);
});

Deno.test("remarksOn() does not make rejected records a problem because retention has dropped events", async () => {
  await using log = await logWith([{ count: 3000, days: 9 }], [{ count: 30, days: 9, code: "unmapped" }]);
  for (let partition = 0; partition < 2; partition++) await log.trim(topics.events, partition, 1490);
  const [remark] = remarksOn(await seenRejections(log, topics, NOW));
  assert.equal(remark?.isProblem, false);
  assert.match(remark.what, /^30 records were rejected, beside 3000 events and items/);
});

Deno.test("remarksOn() makes a handful a note, whatever their share", async () => {
  const remarks = await remarksFor([{ count: 9, days: 3 }], [{ count: 9, days: 3, code: "unmapped" }]);
  assert.equal(remarks()[0]?.isProblem, false);
});

Deno.test("remarksOn() sees a flood of the last day among many older events", async () => {
  const flood = [{ count: 200, days: 0.1, code: "unmapped" }] as const;
  const remarks = await remarksFor([{ count: 9000, days: 3 }, { count: 100, days: 0.2 }], flood);
  const [remark] = remarks();
  assert.equal(remark?.isProblem, true);
  assert.match(remark.what, /; within a day, 200 beside 100, the newest/);
  const before = await remarksFor([{ count: 9000, days: 3 }], [{ ...flood[0], days: 2 }]);
  assert.equal(before()[0]?.isProblem, false, "it is over");
});

Deno.test("remarksOn() quotes what other programs put on the topic, and lists at most five reasons", () => {
  const reasons = Array.from({ length: 8 }, (_, n) => ({
    source: "\u001b[2J",
    from: "x".repeat(5000),
    code: "\u001b]0;\u0007" + n,
    count: 1,
    newest: { time: 0 },
  }));
  const [remark] = remarksOn({ look: { reasons, isAll: true, offsets: 8 }, taken: undefined });
  assert.ok(remark !== undefined && remark.what.length < 1500, "it is bounded");
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\u0000-\u001f]/.test(remark.what));
  assert.match(remark.what, /, and 3 further reasons$/);
});
