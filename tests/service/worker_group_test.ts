import assert from "node:assert/strict";
import { ignore } from "../../streams/log/ignore.ts";
import { type GroupHandlers, type Log, LogError, type Membership } from "../../streams/log/log.ts";
import { GoneTopics, TopicWatch } from "../../streams/service/jobs/topic_watch.ts";
import { inTurn } from "../../streams/service/jobs/turn.ts";
import type { Job } from "../../streams/service/jobs/worker.ts";
import { WorkerGroup } from "../../streams/service/jobs/worker_group.ts";
import { listen } from "../log/warnings.ts";

const THREAD = { giveWay: () => Promise.resolve() };

/** A log with one group, which has at most one member. */
class GroupLog {
  joins = 0;
  /** Errors of the next attempts to join. */
  readonly refusals: LogError[] = [];
  held: readonly number[] = [];
  #handlers: GroupHandlers | undefined;
  #ended = Promise.withResolvers<void>();

  get log(): Log {
    return this as unknown as Log; // all that a WorkerGroup needs
  }

  async join(group: string, _: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    this.joins++;
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    this.#handlers = handlers;
    this.#ended = Promise.withResolvers();
    ignore(this.#ended.promise, "the member has it");
    await this.assign([0]);
    const leave = () => this.revoke(this.held);
    return { group, partitions: [], ended: this.#ended.promise, leave, [Symbol.asyncDispose]: leave };
  }

  async assign(partitions: readonly number[]): Promise<void> {
    this.held = [...this.held, ...partitions];
    await this.#handlers?.assigned(partitions);
  }

  async revoke(partitions: readonly number[]): Promise<void> {
    await this.#handlers?.revoked(partitions, "a test");
    this.held = this.held.filter((partition) => !partitions.includes(partition));
  }

  lose(error: LogError): void {
    this.#ended.reject(error);
  }
}

/** A group whose jobs wait to be told the outcome of their next step. */
function groupOn(source: GroupLog) {
  const open = new Map<number, PromiseWithResolvers<void>>();
  const opened = new Set<() => void>();
  const group = new WorkerGroup<Job>(source.log, {
    group: "g",
    topic: "t",
    thread: THREAD,
    now: () => 0,
    pauseMs: 0,
    name: (partition) => `worker ${partition}`,
    open: (partition) => {
      const done = Promise.withResolvers<void>();
      open.set(partition, done);
      for (const tell of opened) tell();
      return Promise.resolve({
        step: (signal) => {
          signal.addEventListener("abort", () => done.reject(signal.reason));
          return done.promise;
        },
        [Symbol.asyncDispose]: () => Promise.resolve(void open.delete(partition)),
      });
    },
  });
  /** Waits until there are jobs for these partitions, and for no others. */
  const working = async (...partitions: number[]) => {
    while ([...open.keys()].sort().join() !== partitions.join()) {
      await new Promise<void>((resolve) => {
        opened.add(resolve);
        setTimeout(resolve, 1);
      });
    }
    opened.clear();
  };
  return { group, open, working };
}

Deno.test("WorkerGroup works on what it is assigned, and has released what is revoked once that resolves", async () => {
  const source = new GroupLog();
  const { group, open, working } = groupOn(source);
  assert.equal(group.hasJoined, false);
  assert.deepEqual(group.unfinished, ["worker 0 (is opening)"]);
  await working(0);
  await source.assign([2, 1]);
  await working(0, 1, 2);
  assert.deepEqual(group.workers.map(([partition, { name }]) => [partition, name]), [
    [0, "worker 0"],
    [1, "worker 1"],
    [2, "worker 2"],
  ]);
  assert.equal(group.hasJoined, true);
  await source.revoke([1]);
  assert.deepEqual([...open.keys()].sort(), [0, 2], "its job is closed");
  assert.deepEqual(group.workers.map(([partition]) => partition), [0, 2]);
  assert.deepEqual(group.unfinished, ["worker 0 (waits for the log)", "worker 2 (waits for the log)"]);
  await group.stop();
  assert.deepEqual([open.size, source.held, group.workers, group.unfinished], [0, [], [], []]);
  await group.ended;
});

Deno.test("WorkerGroup rejoins when joining failed or its membership was lost, and stops while it waits for that", async () => {
  await using heard = await listen();
  const source = new GroupLog();
  source.refusals.push(new LogError("unreachable", "no broker answers"));
  const away = groupOn(source);
  while (heard.records.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual([away.group.hasJoined, away.group.failure], [false, "no broker answers"]);
  await away.group.stop();
  assert.equal(source.joins, 1);

  const { group, open, working } = groupOn(source);
  await working(0);
  source.lose(new LogError("closed", "the group went on without it"));
  while (heard.records.length === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual([open.size, group.hasJoined, group.failure], [0, false, "the group went on without it"]);
  await working(0);
  while (!group.hasJoined) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual([source.joins, group.failure], [3, undefined]);
  await group.stop();
});

Deno.test("WorkerGroup reopens a worker after a passing error, and ends and releases all after a lasting one", async () => {
  const source = new GroupLog();
  const { group, open, working } = groupOn(source);
  await working(0);
  await source.assign([1]);
  await working(0, 1);
  open.get(0)?.reject(new LogError("closed", "for now"));
  await working(1);
  await working(0, 1);
  open.get(1)?.reject(new TypeError("for good"));
  await assert.rejects(group.ended, { message: "for good" });
  await group.stop();
  assert.deepEqual([open.size, source.held], [0, []]);
});

Deno.test("inTurn() returns what the work returns, repeats it when the log fails, and ends it at its signal", async () => {
  const source = new GroupLog();
  const options = { group: "g", topic: "t", name: "work", thread: THREAD, now: () => 0, pauseMs: 0 };
  const { signal } = new AbortController();
  let tries = 0;
  const work = () => {
    if (++tries < 3) return Promise.reject(new LogError("fenced", "another had the turn"));
    return Promise.resolve(7);
  };
  assert.equal(await inTurn(source.log, { ...options, signal, work }), 7);
  assert.deepEqual([tries, source.held], [3, []]);
  const broken = inTurn(source.log, {
    ...options,
    signal,
    work: () => Promise.reject(new TypeError("broken")),
  });
  await assert.rejects(broken, { message: "broken" });
  assert.deepEqual(source.held, []);

  const ending = new AbortController();
  const begun = Promise.withResolvers<void>();
  let wasEnded = false;
  const endless = inTurn(source.log, {
    ...options,
    signal: ending.signal,
    work: async (own) => {
      begun.resolve();
      await new Promise<void>((resolve) => own.addEventListener("abort", () => setTimeout(resolve, 1)));
      wasEnded = true;
    },
  });
  await begun.promise;
  ending.abort(new Error("enough"));
  await assert.rejects(endless, { message: "enough" });
  assert.deepEqual([wasEnded, source.held], [true, []], "the work has ended before the turn is given up");
});

Deno.test("TopicWatch.look() looks once at a time, and keeps what it knows while the log does not answer", async () => {
  let looks = 0;
  let answer: () => Promise<{ readonly id: string; readonly partitions: number } | null> = () =>
    Promise.resolve({ id: "x", partitions: 2 });
  const watch = new TopicWatch({ identify: () => (looks++, answer()) }, ["a"]);
  assert.equal(watch.known.size, 0);
  await Promise.all([watch.look(), watch.look()]);
  assert.equal(looks, 1);
  assert.deepEqual(watch.known.get("a"), { id: "x", partitions: 2 });
  answer = () => Promise.reject(new LogError("unreachable", "no broker answers"));
  await watch.look();
  assert.deepEqual(watch.known.get("a"), { id: "x", partitions: 2 });
  answer = () => Promise.resolve(null);
  await watch.look();
  assert.deepEqual([...watch.known], [["a", null]]);
});

Deno.test("GoneTopics looks every ten seconds while something waits, and reports nothing otherwise", async () => {
  let [time, looks] = [0, 0];
  const gone = new GoneTopics(
    {
      topics: () => {
        looks++;
        return Promise.resolve(new Map([["a", { name: "a", partitions: 1, cleanup: "delete" as const }]]));
      },
      identify: (name) =>
        name === "hidden" ? Promise.reject(new LogError("unreachable", "denied")) : Promise.resolve(null),
      createTopics: () => Promise.reject(new LogError("unknown-topic", "denied")),
    },
    {
      prefix: "",
      specs: ["a", "b", "hidden"].map((name) => ({ name, partitions: 1, cleanup: "delete" })),
      kept: [],
    },
    () => time,
  );
  const look = async (isWaiting: boolean) => {
    gone.look(isWaiting);
    for (let turn = 0; turn < 9; turn++) await Promise.resolve();
    return gone.reasons.length;
  };
  assert.deepEqual([await look(false), looks], [0, 0]);
  assert.deepEqual([await look(true), looks], [1, 1]);
  assert.match(gone.reasons[0] ?? "", /^the log no longer has b, or denies us access to it/);
  time = 9999;
  assert.deepEqual([await look(true), looks], [1, 1]);
  time = 10_000;
  assert.deepEqual([await look(true), looks], [1, 2]);
  assert.deepEqual([await look(false), looks], [0, 2]);
});
