import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeEvent } from "../../src/events/codec.ts";
import { atOnce } from "../../src/values/portions.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { Task } from "../../streams/task/task.ts";
import { Outbox } from "../../streams/task/outbox.ts";
import { UserTable } from "../../streams/task/user_table.ts";
import { LogUsers, PackedUsers, type UserIndex } from "../../streams/task/store/users.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { withFolder, withoutIndex } from "./harness.ts";

const topics = topicNames();
const USERS = Array.from({ length: 20 }, (_, n) => `u${n}`);

Deno.test("UserTable.peek() of several users at once returns each user's own state, also from a snapshot", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(USERS.map((user, n) => ({
    topic: topics.events,
    partition: 0,
    key: user,
    value: encodeEvent({ type: "profile", user, time: 1.7e12 + n, attributes: { of: user } }),
    time: 1.7e12 + n,
  })));
  const open = (folder: string) =>
    Task.open({
      log: withoutIndex(log),
      topics,
      partition: 0,
      options: { schema: SCHEMA },
      serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
      snapshot: { folder },
    });
  await withFolder(async (folder) => {
    {
      await using task = await open(folder);
      await task.round({ rows: 1000, events: 1000 });
      await task.commit();
    }
    await using task = await open(folder);
    assert.equal(task.state.users.size, 0);
    const seen = await Promise.all(USERS.map((user) => task.users.peek(user, ({ profile }) => profile)));
    assert.deepEqual(seen, USERS.map((user) => ({ of: user })));
  });
});

const START = 1.7e12;

function createState(): TaskState {
  return new TaskState({ schema: SCHEMA }, new ServingModel(makeModel("base"), SCHEMA, WIDTH));
}

/** A state without users, and a table that has records of `ann` and `bob`. */
function createTable(wrap: (index: UserIndex) => UserIndex = (index) => index) {
  const log = { append: () => Promise.resolve([]) };
  const state = createState();
  const outbox = new Outbox({ log, topics, partition: 0, partitions: 1, counters: state.counters });
  const before = createState();
  const index = new PackedUsers();
  for (const user of ["ann", "bob"]) {
    before.apply({ type: "profile", user, time: START, attributes: { of: user } }, 0, outbox.outputs);
    index.put(user, before.memory.record(before.users.get(user)!));
  }
  return {
    state,
    outbox,
    index,
    table: new UserTable(state, { users: wrap(index) }, outbox, {
      log: new MemoryLog(),
      topics,
      partition: 0,
    }),
  };
}

const SOME_IDS = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }), { maxLength: 40 });

Deno.test("UserTable.idsAfter() returns the first ids after a given one, in portions, whoever is read meanwhile", async () => {
  await fc.assert(
    fc.asyncProperty(
      SOME_IDS,
      fc.string({ maxLength: 2 }),
      fc.integer({ min: 1, max: 12 }),
      async (ids, after, count) => {
        const { table } = createTable((index) => {
          const record = (index.get("ann") as Uint8Array).slice();
          for (const id of ids) index.put(id, record, false);
          for (let n = 0; n < 200; n++) index.put(`z${n}`, record, false);
          return index;
        });
        const all = [...new Set([...ids, "ann", "bob", ...Array.from({ length: 200 }, (_, n) => `z${n}`)])]
          .sort();
        await table.warm(all.filter((_, x) => x % 3 === 0));
        const portions = table.idsAfter(after, count);
        let pauses = 0, step = portions.next();
        for (; !step.done; step = portions.next()) {
          await table.warm(all.slice(pauses, pauses + 20));
          pauses++;
        }
        assert.ok(pauses >= 2, `${pauses}`);
        assert.deepEqual(step.value, all.filter((id) => id > after).slice(0, count));
        assert.deepEqual(atOnce(table.idsAfter(after)), all.filter((id) => id > after));
      },
    ),
    { numRuns: 50 },
  );
});

/** An index that answers later, as on a log that has one. */
function slow(index: UserIndex, wait: Promise<void> = Promise.resolve()): UserIndex {
  return new Proxy(index, {
    get(target, name) {
      if (name === "get") return async (id: string) => (await wait, (await target.get(id))?.slice() ?? null);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

for (const [words, wrap] of [["at once", (index: UserIndex) => index], ["later", slow]] as const) {
  Deno.test(`UserTable finds nothing of a forgotten user while an index that answers ${words} still has the record`, async () => {
    const { state, outbox, table } = createTable((index) => wrap(index));
    const forget = { type: "forget", user: "ann", time: START + 1 } as const;
    await table.warm(["ann"]);
    assert.equal(state.apply(forget, 1, outbox.outputs), null);
    outbox.seal(1, { settledBefore: 0 });
    assert.equal(table.size, 2, "the erasure is not committed");
    assert.deepEqual(atOnce(table.idsAfter("")), ["bob"]);
    assert.deepEqual((await Array.fromAsync(table.records())).map(([id]) => id), ["bob"]);
    assert.equal(await table.peek("ann", ({ profile }) => profile), undefined);
    await table.warm(["ann", "bob", "nobody"]);
    assert.deepEqual([...state.users.keys()], ["bob"]);
    table.note([{ topic: topics.state, partition: 0, key: "ann", value: null, time: START }]);
    outbox.clear([]);
    assert.deepEqual([table.size, atOnce(table.idsAfter(""))], [1, ["bob"]]);
  });

  Deno.test(`UserTable.warm() leaves users in memory as they are, with an index that answers ${words}`, async () => {
    const { state, outbox, table } = createTable((index) => wrap(index));
    await table.warm(["ann"]);
    state.apply({ type: "profile", user: "ann", time: START, attributes: { of: "now" } }, 1, outbox.outputs);
    await table.warm(["ann", "ann"]);
    assert.deepEqual(state.users.get("ann")?.profile, { of: "now" });
  });
}

Deno.test("UserTable.warmDue() loads users from the very time at which something is due", async () => {
  const { state, outbox, index } = createTable();
  const late = new Map([["ann", START + 5], ["bob", START + 6]]);
  const place = { log: new MemoryLog(), topics, partition: 0 };
  const table = new UserTable(state, { users: index, late }, outbox, place);
  const loaded = async (time: number) => {
    await table.warmDue(time);
    return [...state.users.keys()];
  };
  assert.deepEqual(await loaded(START + 4), []);
  assert.deepEqual(await loaded(START + 5), ["ann"]);
  assert.deepEqual(await loaded(START + 6), ["ann", "bob"]);
});

Deno.test("UserTable.peek() shows the current state of a user who has come into memory while it looked", async () => {
  const { promise: wait, resolve } = Promise.withResolvers<void>();
  const { state, outbox, table } = createTable((index) => slow(index, wait));
  const seen = table.peek("ann", ({ profile }) => profile);
  state.apply({ type: "profile", user: "ann", time: START, attributes: { of: "now" } }, 1, outbox.outputs);
  resolve();
  assert.deepEqual(await seen, { of: "now" });
});

Deno.test("LogUsers.get() returns null for a user erased while it looks, and rejects when the log has lost a record", async () => {
  const answer = Promise.withResolvers<null>();
  const users = new LogUsers(() => answer.promise, "state", 0);
  users.put("ann");
  users.put("bob");
  const [ann, bob] = [users.get("ann"), users.get("bob")];
  users.delete("ann");
  answer.resolve(null);
  assert.equal(await ann, null);
  await assert.rejects(bob, { code: "corrupt" });
});
