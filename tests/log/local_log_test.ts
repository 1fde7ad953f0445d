import assert from "node:assert/strict";
import { LocalLog, type LogStore } from "../../streams/log/local_log.ts";

Deno.test("LocalLog.scrub() leaves the thread to others for four times as long as each step took", async () => {
  let [time, steps] = [0, 0];
  const pauses: number[] = [];
  const store: Partial<LogStore> = {
    scrub() {
      time += ++steps;
      return steps < 10 ? "more" : "clean";
    },
    close() {},
  };
  await using log = new LocalLog(store as LogStore, setImmediate, {
    now: () => time,
    pause: (ms) => Promise.resolve(pauses.push(ms)),
  });
  assert.equal(await log.scrub(), "clean");
  assert.deepEqual(pauses, [4, 8, 12, 16, 20, 24, 28, 32, 36]);
});
