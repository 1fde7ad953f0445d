import assert from "node:assert/strict";
import { LocalLog, type LogStore } from "../../streams/log/local_log.ts";

Deno.test("LocalLog.scrub() leaves the thread to others for most of the time", async () => {
  let [steps, busyMs] = [0, 0];
  const store: Partial<LogStore> = {
    scrub() {
      const begun = performance.now();
      while (performance.now() - begun < 3);
      busyMs += performance.now() - begun;
      return ++steps < 10 ? "more" : "clean";
    },
    close() {},
  };
  await using log = new LocalLog(store as LogStore, setImmediate);
  const begun = performance.now();
  assert.equal(await log.scrub(), "clean");
  assert.equal(steps, 10);
  const tookMs = performance.now() - begun;
  assert.ok(tookMs > 3 * busyMs, `${tookMs} ms for ${busyMs} ms of work`);
});
