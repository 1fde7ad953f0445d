import assert from "node:assert/strict";
import { LogError, type TopicSpec } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";
import { GoneTopics } from "../../streams/service/jobs/topic_watch.ts";
import { WorkerGroup } from "../../streams/service/jobs/worker_group.ts";
import { groupUnready, untilSettled } from "../../streams/service/readiness.ts";
import { listen } from "../log/warnings.ts";
import { until } from "./deployment.ts";

const { signal } = new AbortController();

/** A service that is late, then not ready, then settled. */
function settling(late: number, unready: number) {
  let looks = 0;
  return {
    get looks() {
      return looks;
    },
    get waitedMs() {
      return ++looks <= late ? 1000 : 0;
    },
    unready: () => Promise.resolve(looks <= late + unready ? ["it is being restored"] : []),
  };
}

/** A clock that only advances by waiting. */
function timeOf() {
  let now = 0;
  const wait = (ms: number) => Promise.resolve(void (now += ms));
  return { clock: () => now, wait };
}

Deno.test("untilSettled() waits until a service has been ready and in time for a while", async () => {
  for (const [settledMs, looks] of [[50, 6], [60, 7], [3000, 65]] as const) {
    const service = settling(3, 2);
    const time = timeOf();
    await untilSettled(service, signal, { settledMs, ...time });
    assert.deepEqual(
      [service.looks, time.clock()],
      [looks, 50 * looks],
      "that long after the fifth look, 50 ms apart",
    );
  }
});

Deno.test("untilSettled() gives up after longestMs, and rejects when stopped", async () => {
  const never = settling(Infinity, 0);
  const time = timeOf();
  await untilSettled(never, signal, { longestMs: 60, ...time });
  assert.deepEqual([never.looks, time.clock()], [2, 100]);
  await assert.rejects(untilSettled(never, AbortSignal.abort(new Error("it stops"))), /it stops/);
});

Deno.test("groupUnready() says why a job could not be opened, or a group not joined, at the last attempt", async () => {
  const log = new MemoryLog();
  await log.createTopics([{ name: "samples", partitions: 1, cleanup: "delete" }]);
  const denied = new LogError(
    "unreachable",
    "Cannot open writer base: Transactional Id authorization failed",
  );
  const now = () => performance.now();
  let mayOpen = false, mayJoin = false;
  const barred = new Proxy(log, {
    get: (_, name) => {
      if (name === "join" && !mayJoin) return () => Promise.reject(new LogError("unreachable", "no right"));
      const value = Reflect.get(log, name);
      return typeof value === "function" ? value.bind(log) : value;
    },
  });
  const job = {
    step: () => new Promise<void>((done) => setTimeout(done, 1)),
    [Symbol.asyncDispose]: async () => {},
  };
  const group = new WorkerGroup(barred, {
    group: "g",
    topic: "samples",
    now,
    thread: new SharedThread(now),
    pauseMs: 1,
    name: () => "learner",
    open: () => mayOpen ? Promise.resolve(job) : Promise.reject(denied),
  });
  const says = (reasons: string[], what: string) =>
    until(() => Promise.resolve(groupUnready("learner", group).join() === reasons.join()), what);
  await says(["the learner waits for its consumer group: no right"], "it says why it has not joined");
  mayJoin = true;
  await says([`the learner is being opened: ${denied.message}`], "it says why it is not open");
  mayOpen = true;
  await says([], "it is ready");
  await group.stop();
});

Deno.test("WorkerGroup.ended rejects at once when a worker fails for good, though another cannot be released", async () => {
  const log = new MemoryLog();
  await log.createTopics([{ name: "events", partitions: 2, cleanup: "delete" }]);
  const now = () => performance.now();
  const held = Promise.withResolvers<void>();
  const fails = () => Promise.reject(new LogError("corrupt", "it is damaged"));
  const group = new WorkerGroup(log, {
    group: "g",
    topic: "events",
    now,
    thread: new SharedThread(now),
    pauseMs: 1,
    name: (partition) => `task ${partition}`,
    open: (partition) =>
      Promise.resolve({
        step: () => partition === 0 ? fails() : held.promise,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  });
  await assert.rejects(group.ended, /it is damaged/);
  assert.deepEqual(group.unfinished, ["task 0 (is opening)", "task 1 (waits for the log)"]);
  held.resolve();
  await group.stop();
  assert.deepEqual(group.unfinished, []);
});

Deno.test("GoneTopics creates what is missing while something waits, but nothing while a topic that it keeps is", async () => {
  await using log = new MemoryLog();
  const specs = ["events", "state", "samples"].map((name) => ({
    name,
    partitions: 2,
    cleanup: "delete" as const,
  }));
  await log.createTopics(specs.slice(0, 1));
  let now = 0, looks = 0, mayCreate = false;
  const counted = {
    topics: () => (looks++, log.topics()),
    identify: (name: string) => log.identify(name),
    createTopics: (missing: readonly TopicSpec[]) =>
      mayCreate
        ? log.createTopics(missing)
        : Promise.reject(new LogError("unknown-topic", "we lack the right")),
  };
  const topics = new GoneTopics(counted, { prefix: "", specs, kept: ["state"] }, () => now);
  const says = (what: RegExp) =>
    until(() => Promise.resolve(what.test(topics.reasons.join())), `it says ${what}`);
  topics.look(false);
  assert.equal(looks, 0, "nothing waits");
  topics.look(true);
  topics.look(true);
  await says(/^the log no longer has state, samples,/);
  assert.equal(looks, 1);
  await log.createTopics(specs.slice(1, 2));
  now += 60_000;
  topics.look(true);
  await says(/^the log no longer has samples,/);
  topics.look(false);
  assert.deepEqual(topics.reasons, []);
  [mayCreate, now] = [true, now + 60_000];
  topics.look(true);
  await until(async () => (await log.topics("samples")).get("samples")?.partitions === 2, "it is created");
  assert.deepEqual(topics.reasons, []);
});

Deno.test("GoneTopics says every minute that a topic has another cleanup policy than a start demands", async () => {
  await using log = new MemoryLog();
  await using heard = await listen();
  const specs = ["events", "state"].map((name) => ({ name, partitions: 1, cleanup: "delete" as const }));
  await log.createTopics(specs);
  let now = 0;
  const wanted = specs.map((spec) => ({
    ...spec,
    cleanup: spec.name === "state" ? "compact" as const : spec.cleanup,
  }));
  const missing = { name: "samples", partitions: 1, cleanup: "delete" as const };
  const topics = new GoneTopics(log, { prefix: "", specs: [...wanted, missing], kept: [] }, () => now);
  for (const [time, count] of [[59_999, 0], [60_000, 1], [60_001, 1], [120_000, 2]] as const) {
    now = time;
    topics.look(false);
    await until(() => Promise.resolve(heard.messages.length === count), `it is said ${count} times`);
  }
  assert.match(
    heard.messages[0] ?? "",
    /no process can start: .+state .+cleanup delete; change that .+policy=compact/,
  );
  assert.ok(!(await log.topics("samples")).has("samples"), "nothing waits for it");
});
