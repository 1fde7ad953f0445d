import assert from "node:assert/strict";
import { Progress, progressLine, type ProgressStatus } from "../../streams/report/progress.ts";

const status = (events: number): ProgressStatus => ({ events, eventsPerSecond: 2000, auc: null, ctr: 0.1 });

Deno.test("progressLine() does without a total", () => {
  assert.equal(progressLine(status(5000)), "5,000 events · 2,000 events/s · AUC – · CTR 10.0 %");
});

Deno.test("Progress.update() writes at most one line an interval when not on a terminal", () => {
  const lines: string[] = [];
  let time = 0;
  {
    using progress = new Progress({
      total: 10_000,
      isTerminal: false,
      now: () => time,
      write: (line) => lines.push(line),
      intervalMs: 1000,
    });
    for (let events = 1000; events <= 10_000; events += 1000) {
      time += 400;
      progress.update(status(events));
    }
  }
  assert.deepEqual(lines.map((line) => line.slice(0, line.indexOf(" events"))), [
    "3,000 of 10,000",
    "6,000 of 10,000",
    "9,000 of 10,000",
    "10,000 of 10,000",
  ]);
});

Deno.test("Progress stays silent when nothing happened", () => {
  const lines: string[] = [];
  new Progress({ isTerminal: false, now: () => 0, write: (line) => lines.push(line) })[Symbol.dispose]();
  assert.deepEqual(lines, []);
});

Deno.test("Progress does not repeat a status that it has shown", () => {
  const lines: string[] = [];
  let time = 0;
  const progress = new Progress({ isTerminal: false, now: () => time, write: (line) => lines.push(line) });
  time = 5000;
  progress.update(status(1));
  progress[Symbol.dispose]();
  assert.equal(lines.length, 1);
});
