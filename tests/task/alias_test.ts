/** Sessions that turn out to be users: what they did becomes the users', across partitions and crashes. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeEvent } from "../../src/events/codec.ts";
import type { AliasEvent, Event, InteractionEvent } from "../../src/events/event.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { generationTopics, topicNames, type Topics, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";

const START = Date.UTC(2026, 0, 1);
const USERS = ["session-1", "session-2", "ann", "bob"];
const PARTITIONS = 3;
const OPTIONS = { schema: SCHEMA, outcomeWindowMs: 1000, allowedLatenessMs: 3_600_000 } as const;
const topics = topicNames();

type Step = AliasEvent | InteractionEvent;

/** Interactions at any time, and aliases in order of time, as sources that are merged by time deliver them. */
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    user: fc.constantFrom(...USERS),
    of: fc.constantFrom(...USERS),
    isAlias: fc.boolean(),
    at: fc.nat(3000),
  }),
  { minLength: 1, maxLength: 30 },
).map((all) =>
  all.map(({ user, of, isAlias, at }, n): Step =>
    isAlias
      ? { type: "alias", user, of, time: START + 100 * n }
      : { type: "interaction", user, item: `i${n}`, action: "click", time: START + at }
  )
);

/** The final owner of a behaviour: whom the first alias not before it names, then the next one after that, ... */
function ownerOf({ user, time }: Step, aliases: readonly AliasEvent[]): string {
  const next = (owner: string, is: (until: number) => boolean) =>
    aliases.find((alias) => alias.user === owner && alias.of !== owner && is(alias.time));
  let owner = user;
  for (let alias = next(owner, (until) => until >= time); alias !== undefined;) {
    const { of, time } = alias;
    owner = of;
    alias = next(owner, (until) => until > time);
  }
  return owner;
}

async function createLog(all: readonly Event[], time = START + 10_000): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  await log.append(all.map((event) => ({
    topic: topics.events,
    partition: partitionOf(event.user, PARTITIONS),
    key: event.user,
    value: encodeEvent(event),
    time,
  })));
  return log;
}

const open = (log: Log, partition: number, of: Topics = topics, isAnswered = false) =>
  Task.open({
    log,
    topics: of,
    partition,
    options: OPTIONS,
    serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
    isAnswered,
  });

/** Runs tasks in turns until none has anything left to do. @param turns the first turns, by partition */
async function run(log: Log, turns: readonly number[] = []): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const tasks: Task[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    tasks.push(opened.use(await open(log, partition)));
  }
  const step = async (task: Task) => {
    const applied = await task.step({ now: () => 0, maxEvents: 3 });
    if (applied > 0) await task.commit();
    return applied;
  };
  for (const turn of turns) await step(tasks[turn]!);
  for (let applied = 1; applied > 0;) {
    applied = 0;
    for (const task of tasks) applied += await step(task);
  }
}

/** Behaviours of all users, oldest first. */
async function behaviours(log: Log, of: Topics = topics, isAnswered = false) {
  const found: Record<string, string[]> = {};
  const records: Record<string, string> = {};
  for (let partition = 0; partition < PARTITIONS; partition++) {
    await using task = await open(log, partition, of, isAnswered);
    while (await task.step({ now: () => 0, maxEvents: 3 }) > 0) await task.commit();
    for await (const [id, record] of task.users.records()) {
      records[id] = record.join();
      const own = await task.users.peek(id, ({ row }) => task.state.sequences.behaviours(row));
      found[id] = (own ?? []).map(({ item, time }) => `${task.state.catalogue.at(item).id} ${time}`);
    }
  }
  return { found, records };
}

const eventsOn = async (log: Log) =>
  (await Promise.all(
    Array.from({ length: PARTITIONS }, (_, partition) =>
      Array.fromAsync(readAll(log, topics.events, partition))),
  )).flat();

Deno.test("aliases: a behaviour's owner follows from its time, through chains and cycles, however tasks interleave", async () => {
  const turns = fc.array(fc.nat(PARTITIONS - 1), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(steps, turns, async (all, turns) => {
      await using log = await createLog(all);
      await run(log, turns);
      const aliases = all.filter((step) => step.type === "alias");
      const want: Record<string, string[]> = {};
      const acts = all.filter((step) => step.type === "interaction");
      for (const act of acts.toSorted((a, b) => a.time - b.time)) {
        (want[ownerOf(act, aliases)] ??= []).push(`${act.item} ${act.time}`);
      }
      const sorted = (of: Record<string, string[]>) =>
        Object.entries(of).filter(([, own]) => own.length > 0).map(([id, own]) => [id, own.toSorted()])
          .sort();
      assert.deepEqual(sorted((await behaviours(log)).found), sorted(want));
    }),
    { numRuns: 40 },
  );
});

const STORY: readonly Event[] = [
  { type: "interaction", user: "session-1", item: "a", action: "click", time: START },
  { type: "profile", user: "session-1", attributes: { city: "Oslo" }, time: START },
  { type: "impression", user: "session-1", request: "r1", items: ["a", "b"], time: START + 5 },
  { type: "alias", user: "session-1", of: "ann", time: START + 10 },
  { type: "alias", user: "session-1", of: "ann", time: START + 10 },
  { type: "interaction", user: "session-1", item: "b", action: "click", time: START + 4 },
  { type: "interaction", user: "session-1", item: "c", action: "click", time: START + 20 },
  { type: "interaction", user: "ann", item: "d", action: "click", time: START + 2 },
  { type: "alias", user: "ann", of: "bob", time: START + 30 },
  { type: "interaction", user: "bob", item: "e", action: "click", time: START + 3 },
];

Deno.test("aliases: a task killed at any operation hands everything over exactly once", async () => {
  await using whole = await createLog(STORY);
  await run(whole);
  const want = await behaviours(whole);
  assert.deepEqual(want.found["bob"]?.map((one) => one.split(" ")[0]), ["a", "d", "e", "b"]);
  assert.deepEqual(want.found["ann"], []);
  assert.deepEqual(
    want.found["session-1"]?.map((one) => one.split(" ")[0]),
    ["c"],
    "what follows the login is not ann's",
  );
  const merges = (await eventsOn(whole)).length;
  for (let at = 1;; at += 3) {
    await using log = await createLog(STORY);
    const crashing = new CrashingLog(log, at);
    const died = await run(crashing).then(() => false, (error) => {
      assert.ok(error instanceof Crash);
      return true;
    });
    if (!died) break;
    await run(log);
    assert.deepEqual((await behaviours(log)).found, want.found, `killed at ${at}`);
    assert.equal((await eventsOn(log)).length, merges);
  }
});

Deno.test("aliases: a generation built alongside ends with the same records, and appends nothing to the events", async () => {
  await using log = await createLog(STORY);
  await run(log);
  const before = await eventsOn(log);
  const next = generationTopics(topics, 2);
  await log.createTopics(topicSpecs(next, PARTITIONS));
  const built = await behaviours(log, next, true);
  assert.deepEqual(built.records, (await behaviours(log)).records);
  assert.equal((await eventsOn(log)).length, before.length);
});

/** Clicks on a list before and after a login; the one on `c` may arrive before the session's task reports it. */
const LISTED: readonly Event[] = [
  { type: "interaction", user: "ann", item: "c", action: "click", request: "r1", time: START + 20 },
  { type: "impression", user: "session-1", request: "r1", items: ["a", "b", "c", "d", "e"], time: START },
  { type: "interaction", user: "session-1", item: "a", action: "click", request: "r1", time: START + 5 },
  { type: "alias", user: "session-1", of: "ann", time: START + 10 },
  { type: "interaction", user: "ann", item: "b", action: "click", request: "r1", time: START + 30 },
];
/** A click that does not name the list, and one after its window. */
const LATER: readonly Event[] = [
  { type: "interaction", user: "ann", item: "d", action: "click", time: START + 900 },
  { type: "interaction", user: "ann", item: "e", action: "click", request: "r1", time: START + 1001 },
];
/** Enough users to move the clock of every partition beyond the allowed lateness, an hour. */
const END: readonly Event[] = Array.from({ length: 24 }, (_, n): Event => {
  return { type: "profile", user: `u${n}`, attributes: {}, time: START + (n < 12 ? 2_000_000 : 4_000_000) };
});

/** Users' lists on a log with the items they clicked, repeats included. */
async function lists(log: Log): Promise<string[]> {
  const found: string[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for await (const { value } of readAll(log, topics.samples, partition)) {
      const { user, rows } = decodeSample(value!);
      const clicked = rows.map(({ item, label }) => label === 1 ? item : "").join("");
      if (rows.length > 0) found.push(`${user} ${clicked}`);
    }
  }
  return found;
}

Deno.test("aliases: a list open at a login gives one sample of clicks before and after, however tasks interleave", async () => {
  const turns = fc.array(fc.nat(PARTITIONS - 1), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(turns, async (turns) => {
      await using log = await createLog(LISTED);
      await run(log, turns);
      await add(log, ...LATER);
      await run(log, turns);
      await add(log, ...END);
      await run(log);
      assert.deepEqual(await lists(log), ["session-1 abcd"]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("aliases: a task killed at any operation reports clicks on a session's list to it exactly once", async () => {
  for (let at = 1;; at += 2) {
    await using log = await createLog(LISTED);
    const crashing = new CrashingLog(log, at);
    const died = await run(crashing).then(() => false, (error) => {
      assert.ok(error instanceof Crash);
      return true;
    });
    await run(log);
    await add(log, ...LATER, ...END);
    await run(log);
    const told = (await eventsOn(log)).filter(({ value }) =>
      new TextDecoder().decode(value!).includes("outcome")
    );
    assert.equal(told.length, 4, `killed at ${at}`);
    assert.deepEqual(await lists(log), ["session-1 abc"], `killed at ${at}`);
    const next = generationTopics(topics, 2);
    await log.createTopics(topicSpecs(next, PARTITIONS));
    assert.deepEqual((await behaviours(log, next, true)).records, (await behaviours(log)).records);
    if (!died) break;
  }
});

/** What each user of a log did, once all tasks have nothing left to do. */
async function knownOn(log: Log, turns: readonly number[] = []): Promise<Record<string, string[]>> {
  await run(log, turns);
  return (await behaviours(log)).found;
}

const SESSION: readonly Event[] = [
  { type: "interaction", user: "session-1", item: "a", action: "click", time: START },
  { type: "alias", user: "session-1", of: "ann", time: START + 10 },
];
const FORGET: Event = { type: "forget", user: "ann", time: START + 20 };
const LATE: Event = { type: "interaction", user: "session-1", item: "b", action: "click", time: START + 4 };
const AGAIN: readonly Event[] = [
  { type: "interaction", user: "session-1", item: "c", action: "click", time: START + 25 },
  { type: "alias", user: "session-1", of: "ann", time: START + 30 },
];

const add = async (log: Log, ...events: Event[]) => {
  await log.append(events.map((event) => ({
    topic: topics.events,
    partition: partitionOf(event.user, PARTITIONS),
    key: event.user,
    value: encodeEvent(event),
    time: Math.max(START + 10_000, event.time),
  })));
};

Deno.test("aliases: earlier behaviours of a session do not bring an erased user back; a later login does", async () => {
  await using log = await createLog(SESSION);
  assert.deepEqual((await knownOn(log))["ann"], [`a ${START}`]);
  await add(log, FORGET);
  assert.equal((await knownOn(log))["ann"], undefined);
  await add(log, LATE);
  assert.equal((await knownOn(log))["ann"], undefined, "also after a restart");
  await add(log, ...AGAIN);
  assert.deepEqual((await knownOn(log))["ann"], [`c ${START + 25}`]);
});

Deno.test("aliases: a click on an erased session's list does not bring the session back", async () => {
  await using log = await createLog(LISTED.slice(1, -1));
  await run(log);
  await add(log, { type: "forget", user: "session-1", time: START + 15 });
  await run(log);
  await add(log, ...LISTED.slice(-1));
  await run(log);
  const { found } = await behaviours(log);
  assert.deepEqual(
    [found["session-1"], found["ann"]],
    [undefined, [`a ${START + 5}`]],
    "b waits for its list",
  );
});

Deno.test("aliases: a hand-over that arrives after an erasure brings nobody back, nor in a generation built then", async () => {
  const [slow, fast] = ["session-1", "ann"].map((user) => partitionOf(user, PARTITIONS));
  assert.notEqual(slow, fast);
  await using log = await createLog([...SESSION, FORGET]);
  assert.equal((await knownOn(log, [fast!, fast!]))["ann"], undefined);
  // The eraser removes the event itself.
  await log.trim(topics.events, fast!, 1);
  const next = generationTopics(topics, 2);
  await log.createTopics(topicSpecs(next, PARTITIONS));
  assert.equal((await behaviours(log, next, true)).found["ann"], undefined);
});
