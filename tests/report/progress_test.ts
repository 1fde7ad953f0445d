import assert from "node:assert/strict";
import { Progress, progressLine, type ProgressStatus } from "../../streams/report/progress.ts";

const status = (done: number, total?: number): ProgressStatus => ({ done, total, figures: () => "AUC –" });

Deno.test("progressLine() works without a total, and without figures", () => {
  assert.equal(progressLine(status(5000), "events"), "5,000 events · AUC –");
  assert.equal(progressLine({ ...status(5000), figures: () => "" }, "events"), "5,000 events");
});

Deno.test("Progress.update() computes figures only when it shows them", () => {
  let asked = 0;
  const figures = () => {
    asked++;
    return "";
  };
  using progress = new Progress({ unit: "events", isTerminal: false, now: () => 0, write: () => {} });
  for (let done = 1; done <= 10; done++) progress.update({ done, figures });
  assert.equal(asked, 0);
  progress[Symbol.dispose]();
  assert.equal(asked, 1);
});

Deno.test("Progress.update() writes at most one line per interval when not on a terminal", () => {
  const lines: string[] = [];
  let time = 0;
  {
    using progress = new Progress({
      unit: "events",
      isTerminal: false,
      now: () => time,
      write: (line) => lines.push(line),
      intervalMs: 1000,
    });
    for (let events = 1000; events <= 10_000; events += 1000) {
      time += 400;
      progress.update(status(events, 10_000));
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
  new Progress({ unit: "events", isTerminal: false, now: () => 0, write: (line) => lines.push(line) })
    [Symbol.dispose]();
  assert.deepEqual(lines, []);
});

Deno.test("Progress does not repeat a status that it has already shown", () => {
  const lines: string[] = [];
  let time = 0;
  const progress = new Progress({
    unit: "events",
    isTerminal: false,
    now: () => time,
    write: (line) => lines.push(line),
  });
  time = 5000;
  progress.update(status(1));
  progress[Symbol.dispose]();
  assert.equal(lines.length, 1);
});
