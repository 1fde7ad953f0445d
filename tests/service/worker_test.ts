import assert from "node:assert/strict";
import { configure, reset } from "@logtape/logtape";
import fc from "fast-check";
import { ignore } from "../../streams/log/ignore.ts";
import { LogError } from "../../streams/log/log.ts";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";
import { type Job, Worker } from "../../streams/service/jobs/worker.ts";
import { listen } from "../log/warnings.ts";

/** The pauses of a worker that fails again and again, each time after `livesMs`. */
async function pausesOf(livesMs: number): Promise<unknown[]> {
  await using heard = await listen();
  let time = 1e6;
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

Deno.test("Worker waits longer after each failure, unless it had worked for a while", async () => {
  assert.deepEqual(await pausesOf(10), [1, 2, 4, 8]);
  assert.deepEqual(await pausesOf(60_000), [1, 1, 1, 1]);
});

Deno.test("Worker.stall says what the worker waits for after five seconds without a turn", async () => {
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

/** What a job does at a step; `fails` and `misses` = for now, `breaks` = for good. */
type Outcome = "works" | "fails" | "misses" | "loses" | "breaks" | "errs";

const OUTCOMES: readonly Outcome[] = ["works", "fails", "misses", "loses", "breaks", "errs"];
const ERRORS = {
  fails: () => new LogError("closed", "the brokers are away"),
  misses: () => new LogError("unknown-topic", "a topic is gone"),
  loses: () => new LogError("beyond-end", "the log has lost its end"),
  breaks: () => new TypeError("it is broken"),
  errs: () => new RangeError("invalid array length"),
};

const GOOD_LIFE = { open: "works", steps: ["works"], ends: ["works", "works"] } as const;

/** A job that acts as told, and notes its calls; it ends the worker after its last step. */
class ScriptedJob implements Job {
  readonly calls: string[] = [];
  readonly #steps: Outcome[];
  readonly #ends: readonly [finish: Outcome, close: Outcome];
  readonly #done: () => void;

  constructor(steps: readonly Outcome[], ends: readonly [finish: Outcome, close: Outcome], done: () => void) {
    this.#steps = [...steps];
    this.#ends = ends;
    this.#done = done;
  }

  step(): Promise<void> {
    const outcome = this.#steps.shift() ?? "fails";
    if (this.#steps.length === 0) this.#done();
    return this.#act("step", outcome);
  }

  finish(): Promise<void> {
    return this.#act("finish", this.#ends[0]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#act("close", this.#ends[1]);
  }

  #act(what: string, outcome: Outcome): Promise<void> {
    this.calls.push(outcome === "works" ? what : `${what} ${outcome}`);
    return outcome === "works" ? Promise.resolve() : Promise.reject(ERRORS[outcome]());
  }
}

Deno.test("Worker reopens its job after passing failures, ends at lasting ones, and closes each job", async () => {
  const outcome = fc.constantFrom(...OUTCOMES);
  const life = fc.record({
    open: outcome,
    steps: fc.array(fc.constantFrom("works", "works", ...OUTCOMES), { minLength: 1, maxLength: 3 }),
    ends: fc.tuple(outcome, outcome),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), async (lives) => {
      const jobs: ScriptedJob[] = [];
      let at = 0;
      const stop = () => {
        if (at >= lives.length) ignore(worker.stop(), "`ended` is awaited");
      };
      const worker: Worker<ScriptedJob> = new Worker({
        name: "w",
        open: async () => {
          await Promise.resolve();
          const { open, steps, ends } = lives[at++] ?? GOOD_LIFE;
          if (open !== "works") {
            stop();
            throw ERRORS[open]();
          }
          const job = new ScriptedJob(steps, ends, stop);
          jobs.push(job);
          return job;
        },
        now: () => 0,
        thread: { giveWay: () => Promise.resolve() },
        pauseMs: 0,
      });
      const error = await worker.ended.then(() => null, (error) => error);
      // The first failure of each life decides.
      const lived = [...lives, GOOD_LIFE].slice(0, at);
      const isLast = (life: number) => life === at - 1;
      const failures = lived.map(({ open, steps, ends: [finish, close] }, life) => {
        const all = [open, ...open === "works" ? [...steps, isLast(life) ? finish : "fails", close] : []];
        return all.find((one) => one !== "works");
      });
      const lasting = { breaks: TypeError, errs: RangeError };
      const classOf = (failure: Outcome | undefined) =>
        failure === "breaks" || failure === "errs" ? lasting[failure] : null;
      assert.ok(failures.slice(0, -1).every((failure) => classOf(failure) === null), "it has ended before");
      assert.equal(error?.constructor ?? null, classOf(failures.at(-1)), `${error}`);
      for (const { calls } of jobs) {
        const [close, ...before] = calls.toReversed();
        assert.match(close ?? "", /^close/);
        assert.ok(before.slice(1).every((call) => call === "step"), calls.join());
        assert.ok(
          !/finish/.test(before[0] ?? "") || jobs.at(-1)?.calls === calls,
          "only when it is told to stop",
        );
      }
      assert.equal(worker.job, undefined);
    }),
    { numRuns: 200 },
  );
});

Deno.test("Worker.watch() warns every half minute that a step hangs, and says once that it works again", async () => {
  const said: string[] = [];
  await configure({
    sinks: { said: ({ level, message }) => void said.push(`${level}: ${message.join("")}`) },
    loggers: [
      { category: "meander", sinks: ["said"], lowestLevel: "info" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  await using _ = { [Symbol.asyncDispose]: reset };
  let time = 1000;
  let step = Promise.withResolvers<void>();
  const worker = new Worker({
    name: "w",
    open: () => Promise.resolve({ step: () => step.promise, [Symbol.asyncDispose]: () => Promise.resolve() }),
    now: () => time,
    thread: { giveWay: () => Promise.resolve() },
  });
  const watchAt = (now: number, stoodMs = 0) => {
    time = now;
    worker.watch(stoodMs);
    return said.splice(0);
  };
  await Promise.resolve();
  assert.deepEqual(watchAt(5999), []);
  assert.deepEqual(watchAt(6000), ["warning: w: waits for the log for 5 s"]);
  assert.deepEqual(watchAt(35_999), []);
  assert.deepEqual(watchAt(36_000), ["warning: w: waits for the log for 35 s"]);
  const before = step;
  step = Promise.withResolvers();
  before.resolve();
  while (worker.stalledMs > 0) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(watchAt(36_001), ["info: w: is working again"]);
  assert.deepEqual(watchAt(36_002), []);
  assert.deepEqual(watchAt(66_002, 30_000), [], "the process stood still, not the worker");
  assert.equal(worker.stalledMs, 2);
  assert.deepEqual(watchAt(71_002), ["warning: w: waits for the log for 5 s"]);
  assert.deepEqual(watchAt(102_002, 30_000), ["warning: w: waits for the log for 6 s"]);
  step.resolve();
  await worker.stop();
});

Deno.test("Worker.fault says that the log contradicts what was recorded of it, until the cause is another", async () => {
  await using heard = await listen();
  let error: LogError | undefined = new LogError("topic-mismatch", "the topic is another");
  const done = Promise.withResolvers<void>();
  const worker = new Worker({
    name: "w",
    open: () => {
      if (error !== undefined) return Promise.reject(error);
      return Promise.resolve({ step: () => done.promise, [Symbol.asyncDispose]: () => Promise.resolve() });
    },
    now: () => 0,
    thread: { giveWay: () => Promise.resolve() },
    pauseMs: 1,
  });
  const until = async (is: () => boolean) => {
    while (!is()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  await until(() => worker.failure !== undefined);
  assert.deepEqual([worker.fault, worker.failure], ["w: the topic is another", "the topic is another"]);
  assert.equal(heard.records[0]?.level, "error");
  error = new LogError("closed", "the brokers are away");
  await until(() => worker.failure === "the brokers are away");
  assert.equal(worker.fault, undefined, "it is only away");
  error = undefined;
  await until(() => worker.job !== undefined);
  assert.deepEqual([worker.fault, worker.failure], [undefined, undefined]);
  done.resolve();
  await worker.stop();
});

Deno.test("Worker.stop() resolves when its job is finished and closed, or its opening was given up", async () => {
  const calls: string[] = [];
  const later = (what: string) => async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    calls.push(what);
  };
  let time = 1000;
  const stepped = Promise.withResolvers<void>();
  const worker = new Worker({
    name: "w",
    open: () =>
      Promise.resolve({
        step: () => Promise.resolve(void (time += 7)),
        finish: later("finish"),
        [Symbol.asyncDispose]: later("close"),
      }),
    now: () => time,
    thread: {
      giveWay: (ms) => {
        calls.push(`after ${ms} ms`);
        stepped.resolve();
        return new Promise((resolve) => setTimeout(resolve, 0));
      },
    },
  });
  await stepped.promise;
  await worker.stop();
  assert.deepEqual(calls, ["after 7 ms", "finish", "close"]);

  const opening = new Worker({
    name: "w",
    open: (signal) =>
      new Promise<Job>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    now: () => 0,
    thread: { giveWay: () => Promise.resolve() },
  });
  await opening.stop();
  await opening.ended;
});
