import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { CHUNK_BYTES, isSnapshot } from "../../src/retrieval/signals/changelog.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { NAMED_FROM } from "../../streams/task/inputs/position.ts";
import { ownRecord } from "../../streams/task/inputs/inputs.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { SCHEMA } from "../learner/batches.ts";

const topics = topicNames();
const START = 1_700_000_000_000;
const COMMIT_MS = 1000;
const USERS = 40;

/**
 * A log on which a commit takes a second, by a clock of its own, and which counts what commits hold of retrieval's
 * snapshots. Reads wait by that clock, too.
 */
function slow(log: Log) {
  const clock = { now: 0, snapshots: 0 };
  const commits: { readonly pieces: number; readonly bytes: number }[] = [];
  const own: Pick<Log, "writer" | "read"> = {
    async read(topic, partition, from, options) {
      const result = await log.read(topic, partition, from, { ...options, waitMs: 0 });
      if (result.records.length === 0) clock.now += options?.waitMs ?? 0;
      return result;
    },
    async writer(id) {
      const writer = await log.writer(id);
      return {
        id,
        commit: (commit) => {
          clock.now += COMMIT_MS;
          if (commit.records.some(({ key, value }) => isSnapshot(key ?? "", value ?? new Uint8Array(0)))) {
            clock.snapshots++;
          }
          const pieces = commit.records.filter(({ key, value }) => {
            return /^retrieval:(piece|snapshot):/.test(key ?? "") && value?.length !== 0;
          });
          commits.push({
            pieces: pieces.length,
            bytes: pieces.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
          });
          return writer.commit(commit);
        },
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  };
  const slow = new Proxy(log, {
    get(_, name) {
      const value: unknown = Reflect.get(Object.hasOwn(own, name) ? own : log, name);
      return typeof value === "function" ? value.bind(log) : value;
    },
  });
  return { clock, commits, log: slow };
}

const user = (n: number) => `somebody-${100 + n}`;

async function opened() {
  const memory = new MemoryLog();
  await memory.createTopics(topicSpecs(topics, 1));
  const send = (...events: Event[]) =>
    memory.append(events.map((event) => ({
      topic: topics.events,
      partition: 0,
      key: event.user,
      value: encodeEvent(event),
      time: event.time,
    })));
  const { clock, commits, log } = slow(memory);
  const open = () =>
    Task.open({ log, topics, partition: 0, options: { schema: SCHEMA }, serving: new FakeServing() });
  const named = async () => {
    const records = await Array.fromAsync(readAll(memory, topics.statistics, 0));
    const text = records.map(({ value }) => new TextDecoder("latin1").decode(value!)).join();
    return Array.from({ length: USERS }, (_, n) => n).filter((n) => text.includes(user(n)));
  };
  const header = async () => (await ownRecord(memory, topics, 0))?.headers[NAMED_FROM];
  const answers = async () => (await memory.bounds(topics.recommendations, 0)).end;
  return { clock, commits, send, open, named, header, answers };
}

const step = (task: Task, clock: { readonly now: number }) =>
  task.step({ now: () => clock.now, commitIntervalMs: 0 });
const view = (n: number, item = "i"): Event => {
  return { type: "interaction", user: user(n), item, action: "view", time: START + n };
};
const forget = (n: number): Event => ({ type: "forget", user: user(n), time: START + 1000 + n });

Deno.test("Task.step() removes the names of users erased one after another in few snapshots", async () => {
  const { clock, send, open, named, header } = await opened();
  await using task = await open();
  await send(...Array.from({ length: USERS }, (_, n) => view(n)));
  await step(task, clock);
  assert.equal((await named()).length, USERS);
  clock.snapshots = 0;
  await send(forget(0));
  await step(task, clock);
  assert.deepEqual([await named(), clock.snapshots], [Array.from({ length: USERS - 1 }, (_, n) => n + 1), 1]);
  assert.equal(await header(), undefined, "no name is left to remove");
  for (let n = 1; n < 10; n++) {
    await send(forget(n));
    await step(task, clock);
    assert.equal(await header(), `${USERS + 1}`, "the offset of the first erasure that waits");
  }
  assert.equal(clock.snapshots, 1);
  assert.ok((await named()).includes(5));
  clock.now += 12 * COMMIT_MS;
  await step(task, clock);
  assert.deepEqual([await named(), clock.snapshots], [Array.from({ length: 30 }, (_, n) => n + 10), 2]);
  assert.equal(await header(), undefined);
  await step(task, clock);
  assert.equal(clock.snapshots, 2, "once is enough");
});

Deno.test("Task.open() finds the names that were still to be removed before a crash", async () => {
  const { clock, send, open, named, header } = await opened();
  {
    await using task = await open();
    await send(view(0), view(1), forget(0));
    await step(task, clock);
    await send(forget(1));
    await step(task, clock);
    assert.deepEqual(await named(), [1]);
  }
  await using task = await open();
  await step(task, clock);
  assert.deepEqual([await named(), await header()], [[], undefined]);
});

Deno.test("Task.commit() removes the names of erased users at once", async () => {
  const { clock, send, open, named } = await opened();
  await using task = await open();
  await send(view(0), view(1), forget(0));
  await step(task, clock);
  clock.snapshots = 0;
  await send(forget(1));
  await task.round({ rows: Infinity, events: 1 });
  assert.deepEqual([await named(), clock.snapshots], [[], 1]);
});

Deno.test("Task.step() writes a large snapshot in several commits, and answers in between; a crash there changes nothing", async () => {
  const { clock, send, open, named, header, answers, commits } = await opened();
  let task = await open();
  const many = Array.from({ length: 2500 }, (_, n): Event => {
    return {
      type: "interaction",
      user: user(n % USERS),
      item: `i${(17 * n) % 1800}`,
      action: "view",
      time: START + n,
    };
  });
  await send(...many);
  while (await step(task, clock) > 0);
  const digest = () => task.state.retrieval.state.encode();
  let steps = 0;
  for (const crashAfter of [1, 2, 4, Infinity]) {
    await send(forget(crashAfter === Infinity ? 5 : crashAfter));
    commits.length = 0;
    for (let n = 1; n <= crashAfter && (n === 1 || await header() !== undefined); n++) {
      await send({ type: "request", user: user(9), time: START + 5000, request: `r${++steps}`, count: 3 });
      await step(task, clock);
      assert.equal(await answers(), steps, "each request is answered with the piece");
      clock.now += 30 * COMMIT_MS;
    }
    assert.ok(
      commits.every(({ pieces, bytes }) => pieces <= 2 && bytes < 2.1 * CHUNK_BYTES),
      "a piece, or the last two",
    );
    const before = digest();
    await task[Symbol.asyncDispose]();
    task = await open();
    assert.ok(Buffer.from(before).equals(digest()), `after ${crashAfter} commits`);
  }
  assert.ok(commits.filter(({ pieces }) => pieces > 0).length >= 3, "in several commits");
  const left = await named();
  assert.deepEqual([left.length, left.filter((n) => [1, 2, 4, 5].includes(n))], [USERS - 4, []]);
  await task[Symbol.asyncDispose]();
});

Deno.test("Task.step() without events waits no longer than until the next piece is due", async () => {
  const { clock, send, open, named, commits } = await opened();
  await using task = await open();
  await send(...Array.from({ length: 2500 }, (_, n) => view(n % USERS, `i${n % 1800}`)));
  while (await step(task, clock) > 0);
  await send(forget(0));
  commits.length = 0;
  const begun = clock.now;
  let steps = 0;
  while ((await named()).includes(0)) {
    steps++;
    await task.step({ now: () => clock.now, waitMs: 1e6, commitIntervalMs: 500 });
  }
  assert.ok(commits.length >= 4, "pieces");
  assert.ok(steps <= 2 * commits.length, `${steps} steps: no spinning`);
  assert.ok(clock.now - begun <= 23 * COMMIT_MS * commits.length, `${clock.now - begun} ms`);
});
