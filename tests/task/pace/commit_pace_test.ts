import assert from "node:assert/strict";
import { CommitPace } from "../../../streams/task/pace/commit_pace.ts";
import { createRandom } from "../../../src/draws/random_source.ts";

const INTERVALS = { commitIntervalMs: 500, answerIntervalMs: 100 };

Deno.test("CommitPace, exactly once, is due an interval after the last commit, and at once after silence", () => {
  const pace = new CommitPace({ delivery: "exactly-once", partition: 1, partitions: 4 });
  assert.equal(pace.dueAt(true, INTERVALS), -Infinity);
  assert.equal(pace.latestAt(500), Infinity);
  pace.applied(1000);
  pace.applied(1400);
  assert.equal(pace.latestAt(500), 1500);
  pace.committed(1450);
  assert.equal(pace.latestAt(500), Infinity);
  assert.equal(pace.dueAt(true, INTERVALS), 1550);
  assert.equal(pace.dueAt(false, INTERVALS), 1950);
  pace.applied(9000);
  assert.ok(pace.dueAt(true, INTERVALS) < 9000);
});

Deno.test("CommitPace, at least once, lets no event wait longer than an interval, whenever it comes", () => {
  const random = createRandom(5);
  for (let n = 0; n < 1000; n++) {
    const partitions = 1 + Math.floor(random() * 40);
    const partition = Math.floor(random() * partitions);
    const commitIntervalMs = random() * 1000;
    const pace = new CommitPace({ delivery: "at-least-once", partition, partitions });
    const since = random() * 1e7;
    pace.applied(since);
    pace.applied(since + 10_000);
    const due = pace.dueAt(true, { commitIntervalMs, answerIntervalMs: 0 });
    assert.equal(due, pace.latestAt(commitIntervalMs));
    assert.ok(
      due >= since && due <= since + commitIntervalMs + 1e-6,
      `${due} for ${since}, ${commitIntervalMs}`,
    );
  }
});

Deno.test("CommitPace, at least once, commits partitions that have events at the same time at different times", () => {
  const paces = Array.from(
    { length: 4 },
    (_, partition) => new CommitPace({ delivery: "at-least-once", partition, partitions: 4 }),
  );
  let now = 1234;
  for (let n = 0; n < 20; n++, now += 5) for (const pace of paces) pace.applied(now);
  const dues = paces.map((pace) => pace.dueAt(true, INTERVALS)).sort((a, b) => a - b);
  assert.deepEqual(dues, [1250, 1375, 1500, 1625]);
  for (const pace of paces) {
    pace.committed(1700);
    pace.applied(1705);
  }
  assert.deepEqual(paces.map((pace) => pace.latestAt(500)), [2000, 2125, 1750, 1875]);
});

Deno.test("CommitPace, at least once without an interval, is due at once", () => {
  const pace = new CommitPace({ delivery: "at-least-once", partition: 3, partitions: 4 });
  pace.applied(77);
  assert.equal(pace.dueAt(true, { commitIntervalMs: 0, answerIntervalMs: 0 }), 77);
});
