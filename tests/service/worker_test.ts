import assert from "node:assert/strict";
import { LogError } from "../../streams/log/log.ts";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";
import { type Job, Worker } from "../../streams/service/jobs/worker.ts";
import { listen } from "../log/warnings.ts";

/** The pauses of a worker that fails again and again, after it was alive for so long each time. */
async function pausesOf(livesMs: number): Promise<unknown[]> {
  await using heard = await listen();
  let time = 0;
  const failed = Promise.withResolvers<void>();
  const job: Job = {
    step() {
      time += livesMs;
      if (heard.records.length === 4) failed.resolve();
      return Promise.reject(new LogError("closed", "the brokers are away"));
    },
    finish: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const worker = new Worker({
    name: "w",
    open: () => Promise.resolve(job),
    now: () => time,
    thread: new SharedThread(() => time),
    pauseMs: 1,
  });
  await failed.promise;
  await worker.stop();
  return heard.records.slice(0, 4).map(({ properties }) => properties["pauseMs"]);
}

Deno.test("Worker waits longer after each failure, and not after it had worked for a while", async () => {
  assert.deepEqual(await pausesOf(10), [1, 2, 4, 8]);
  assert.deepEqual(await pausesOf(60_000), [1, 1, 1, 1]);
});

Deno.test("Worker.stall says what keeps it after five seconds without a turn", async () => {
  let time = 0;
  const hanging = Promise.withResolvers<void>();
  const job: Job = {
    step: () => hanging.promise,
    finish: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const worker = new Worker({
    name: "w",
    open: () => Promise.resolve(job),
    now: () => time,
    thread: new SharedThread(() => time),
  });
  time = 4999;
  assert.equal(worker.stall, undefined);
  time = 7000;
  assert.equal(worker.stall, "w: is opening for 7 s");
  await Promise.resolve();
  assert.equal(worker.stall, "w: waits for the log for 7 s");
  hanging.resolve();
  await worker.stop();
});
