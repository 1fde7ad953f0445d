/** A generation that begins with what states remember of dropped events is as if it had read those events. */

import assert from "node:assert/strict";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { decodeTask } from "../../src/engine/task_codec.ts";
import type { Event } from "../../src/events/event.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { ownRecord } from "../../streams/task/inputs/inputs.ts";
import { generationTopics, rememberedTopic, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { recordsOf, shopEvents } from "../service/deployment.ts";
import { build, built, digestOf, rebuildOptions, topics } from "./built.ts";

const after = generationTopics(topics, 3);

/** What people do in a shop, one after the other, without lists and ids. */
function behaviours(): Event[] {
  return shopEvents(400, 12).flatMap((event) => {
    if (event.type !== "interaction" || event.action === "rating") return [];
    const { user, item, action, time } = event;
    return [{ type: "interaction" as const, user, item, action, time }];
  }).sort((a, b) => a.time - b.time).map((event, at) => ({ ...event, time: event.time + at }));
}

async function logOf<L extends Log>(events: readonly Event[], log: L, partitions = 1): Promise<L> {
  await log.createTopics(topicSpecs(topics, partitions));
  await log.append(recordsOf(events));
  return log;
}

/** Drops the older part of the events. */
async function dropHalf(log: Log, share = 0.5): Promise<void> {
  const { partitions } = (await log.topics(topics.events)).get(topics.events)!;
  for (let p = 0; p < partitions; p++) {
    await log.trim(topics.events, p, Math.floor(share * (await log.bounds(topics.events, p)).end));
  }
}

/** Options of a generation that begins with what `built` remembers. */
async function following(log: Log): Promise<RebuildOptions> {
  const { spec, ...options } = await rebuildOptions(log);
  return { ...options, spec: { ...spec, topics: after }, remembers: built };
}

/** An id that falls into this one of two partitions. */
function idIn(partition: number, name: string): string {
  return Array.from({ length: 99 }, (_, n) => `${name}-${n}`).find((id) => partitionOf(id, 2) === partition)!;
}

/** Behaviours and profile of each user of a generation. */
async function usersOf(log: Log, of: typeof topics): Promise<Record<string, unknown>> {
  const state = new TaskState((await rebuildOptions(log)).task, PRIOR);
  const users: Record<string, unknown> = {};
  const { partitions } = (await log.topics(of.state)).get(of.state)!;
  for (let p = 0; p < partitions; p++) {
    for await (const { key, value } of readAll(log, of.state, p)) {
      if (key === null || value === null) continue;
      users[key] = state.memory.view(key, value, ({ row, profile }) => {
        const { sequences, catalogue } = state;
        const done = Array.from(
          { length: sequences.length(row) },
          (
            _,
            at,
          ) => [catalogue.at(sequences.item(row, at)).id, sequences.action(row, at), sequences.time(row, at)],
        );
        return [done, Object.entries(profile).sort(), sequences.total(row)];
      });
    }
  }
  return users;
}

for (const kind of ["memory", "SQLite"]) {
  Deno.test(`Rebuild gives the same bytes when states remember all dropped events, in ${kind}`, async () => {
    const folder = await Deno.makeTempDir();
    {
      const empty = kind === "memory" ? new MemoryLog() : await SqliteLog.open(`${folder}/log`);
      await using log = await logOf<Log>(behaviours(), empty);
      await build(log, await rebuildOptions(log));
      await dropHalf(log);
      await using rebuild = await Rebuild.open(log, await following(log));
      const { start, end } = await log.bounds(topics.events, 0);
      assert.ok(start > 100);
      const remembered = [{ start, behaviours: start, profiles: 0, gone: 0 }];
      assert.deepEqual(rebuild.progress, { done: 0, of: end, remembered, archived: [] });
      while (await rebuild.step());
      assert.deepEqual(await digestOf(log, after), await digestOf(log));
      const left = await log.bounds(rememberedTopic(after), 0);
      assert.equal(left.start, left.end, "records that name users are not kept");
    }
    await Deno.remove(folder, { recursive: true });
  });
}

for (const [partitions, tasks] of [[1, 1], [2, 2], [1, 3]] as const) {
  Deno.test(`sequences and profiles survive dropped events, with ${partitions} partitions and ${tasks} tasks`, async () => {
    const events = shopEvents(300, 12);
    const attributes = { segment: "outdoors", age: "50+" };
    const profile = { type: "profile", user: "u1", time: events[0]!.time, attributes } as const;
    await using log = await logOf([profile, ...events], new MemoryLog(), partitions);
    await build(log, await rebuildOptions(log));
    await dropHalf(log, 0.8);
    const options = await following(log);
    const until = Array.from({ length: tasks }, (_, task) => options.until[task % partitions]!);
    await build(log, { ...options, until });
    const users = await usersOf(log, after);
    assert.deepEqual(users, await usersOf(log, built));
    assert.ok(JSON.stringify(users["u1"]).includes("outdoors"));
  });
}

Deno.test("an experiment continues when the log has dropped the events before it", async () => {
  await using log = await logOf(shopEvents(60, 12), new MemoryLog());
  const experiments = new ExperimentRegistry(log, topics, { models: [], now: () => 1 });
  await experiments.start({
    name: "explore",
    variants: [{ name: "model" }, { name: "rates", model: "prior" }],
  });
  const { end } = await log.bounds(topics.events, 0);
  await log.append(recordsOf(shopEvents(80, 12).slice(end)));
  await build(log, await rebuildOptions(log));
  await log.trim(topics.events, 0, end);
  await build(log, await following(log));
  const task = await ownRecord(log, after, 0);
  const state = new TaskState((await rebuildOptions(log)).task, PRIOR);
  decodeTask(task!.value!, state);
  assert.deepEqual([...state.experiments.keys()], ["explore"]);
});

Deno.test("behaviours out of order around the start of the log are neither lost nor doubled", async () => {
  const ordered = behaviours();
  const events = ordered.map((_, at) => ordered[at % 8 < 4 ? at + 4 : at - 4] ?? ordered[at]!);
  await using log = await logOf(events, new MemoryLog());
  await build(log, await rebuildOptions(log));
  for (const share of [0.4, 0.41, 0.42]) await dropHalf(log, share);
  await build(log, await following(log));
  assert.deepEqual(await usersOf(log, after), await usersOf(log, built));
});

Deno.test("behaviours that a session handed over are not remembered if the log has the session's events", async () => {
  const [{ time, item } = {} as never] = behaviours() as readonly (Event & { readonly item: string })[];
  const act = (user: string, at: number): Event => {
    return { type: "interaction", user, item, action: "view", time: time + at };
  };
  const profile: Event = { type: "profile", user: "u9", time, attributes: { segment: "outdoors" } };
  const others = Array.from({ length: 4200 }, (_, n) => act(`o${n % 400}`, 100 + n));
  const handedOver = [{ item, action: "view", time: time + 2, strength: 1 }];
  const end = time + 5000;
  await using log = await logOf([
    profile,
    profile,
    profile,
    act("u9", 1),
    act("session", 2),
    ...others,
    { type: "alias", user: "session", of: "ann", time: end },
    { type: "merge", user: "ann", from: "session", time: end, behaviours: handedOver },
  ], new MemoryLog());
  await build(log, await rebuildOptions(log));
  await log.trim(topics.events, 0, 4);
  await using rebuild = await Rebuild.open(log, await following(log));
  assert.deepEqual(rebuild.progress.remembered, [{ start: 4, behaviours: 1, profiles: 1, gone: 0 }]);
  while (await rebuild.step());
  assert.deepEqual((await usersOf(log, after))["ann"], (await usersOf(log, built))["ann"]);
});

Deno.test("behaviours from another partition's session count once if the log has the session but not the merge", async () => {
  const [{ time, item } = {} as never] = behaviours() as readonly (Event & { readonly item: string })[];
  const act = (user: string, at: number): Event => {
    return { type: "interaction", user, item, action: "view", time: time + at };
  };
  const [session, ann] = [idIn(0, "session"), idIn(1, "ann")];
  const alias = { type: "alias", user: session, of: ann, time: time + 9 } as const;
  const handedOver = [{ item, action: "view", time: time + 1, strength: 0.5 }];
  await using log = await logOf(
    [
      act(session, 1),
      alias,
      act(session, 20),
      { type: "merge", user: ann, from: session, time: alias.time, behaviours: handedOver },
      act(ann, 30),
    ],
    new MemoryLog(),
    2,
  );
  await build(log, await rebuildOptions(log));
  await log.trim(topics.events, 1, 1);
  await using rebuild = await Rebuild.open(log, await following(log));
  assert.deepEqual(rebuild.progress.remembered, [{ start: 1, behaviours: 1, profiles: 0, gone: 0 }]);
  while (await rebuild.step());
  assert.deepEqual(await digestOf(log, after), await digestOf(log, built));
});

/** A log on which sessions of another partition act before all else, and log in after thousands of events. */
async function lateLogins(between: (time: number, item: string) => readonly Event[]): Promise<MemoryLog> {
  const [{ time, item } = {} as never] = behaviours() as readonly (Event & { readonly item: string })[];
  const logins = Array.from({ length: 12 }, (_, n) => [idIn(0, `session${n}`), idIn(1, `ann${n}`)] as const);
  const events = between(time, item);
  const end = events.at(-1)!.time + 1;
  return await logOf(
    [
      ...logins.map(([user]): Event => ({ type: "interaction", user, item, action: "view", time: time + 1 })),
      ...events,
      ...logins.map(([user, of]): Event => ({ type: "alias", user, of, time: end })),
      ...logins.map(([from, user]): Event => {
        const behaviours = [{ item, action: "view", time: time + 1, strength: 0.5 }];
        return { type: "merge", user, from, time: end, behaviours };
      }),
    ],
    new MemoryLog(),
    2,
  );
}

/** Builds the next generation on a log that has dropped the first events of the second partition. */
async function follow(log: Log, dropped: number) {
  await build(log, await rebuildOptions(log));
  await log.trim(topics.events, 1, dropped);
  await using rebuild = await Rebuild.open(log, await following(log));
  const { remembered } = rebuild.progress;
  while (await rebuild.step());
  return remembered;
}

/** Users of the second of two partitions. */
const OWN = Array.from({ length: 400 }, (_, n) => `o${n}`).filter((id) => partitionOf(id, 2) === 1);

Deno.test("behaviours from another partition's sessions are left to merges that come much later on the log", async () => {
  await using log = await lateLogins((time, item) =>
    Array.from({ length: 5000 }, (_, n) => {
      return { type: "interaction", user: OWN[n % OWN.length]!, item, action: "view", time: time + 100 + n };
    })
  );
  const remembered = await follow(log, 500);
  assert.deepEqual(remembered, [{ start: 500, behaviours: 500, profiles: 0, gone: 0 }]);
  assert.deepEqual(await digestOf(log, after), await digestOf(log, built));
});

Deno.test("all lists on the log are learnt even if sessions hand over older behaviours later", async () => {
  await using log = await lateLogins((time, item) =>
    Array.from({ length: 2200 }, (_, n): Event[] => {
      const [user, at, request] = [OWN[n % OWN.length]!, time + 100 + 60_000 * n, `q${n}`];
      return [
        { type: "impression", user, time: at, request, items: [item, `${item}x`] },
        { type: "interaction", user, time: at + 1, request, item, action: "click" },
      ];
    }).flat()
  );
  await follow(log, 200);
  const samples = async (of: typeof topics) =>
    (await Array.fromAsync(readAll(log, of.samples, 1))).map(({ value }) => decodeSample(value!).request);
  assert.deepEqual(await samples(after), (await samples(built)).slice(100));
});

Deno.test("another partition's sessions are read only up to their logins and what may be out of order", async () => {
  const [session, ann] = [idIn(0, "session"), idIn(1, "ann")];
  const others = Array.from({ length: 500 }, (_, n) => `o${n}`).filter((id) => partitionOf(id, 2) === 0);
  const [{ time, item } = {} as never] = behaviours() as readonly (Event & { readonly item: string })[];
  const act = (user: string, at: number): Event => {
    return { type: "interaction", user, item, action: "view", time: time + at };
  };
  await using whole = await logOf(
    [
      act(session, 1),
      { type: "alias", user: session, of: ann, time: time + 2 } as const,
      act(ann, 3),
      ...Array.from({ length: 9000 }, (_, n) => act(others[n % others.length]!, 10 + n)),
    ],
    new MemoryLog(),
    2,
  );
  await build(whole, await rebuildOptions(whole));
  await whole.trim(topics.events, 1, (await whole.bounds(topics.events, 1)).end);
  let read = 0;
  const log = layered(whole, {
    read: async (topic, partition, ...rest) => {
      const result = await whole.read(topic, partition, ...rest);
      if (topic === topics.events && partition === 0) read += result.records.length;
      return result;
    },
  });
  await using _rebuild = await Rebuild.open(log, await following(whole));
  assert.ok(read > 4096 && read < 6000, `${read} events`);
});

Deno.test("a build killed while it takes over what is remembered, or later, ends with the same bytes", async () => {
  const digests: unknown[] = [];
  for (const kills of [false, true]) {
    await using log = await logOf(shopEvents(100, 12), new MemoryLog(), 2);
    await build(log, await rebuildOptions(log));
    await dropHalf(log);
    const options = await following(log);
    let killed = 0;
    for (let life = kills ? 5 : Infinity;; life += 5) {
      try {
        await build(new CrashingLog(log, life), options);
        break;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        killed++;
      }
    }
    assert.ok(!kills || killed > 5, `${killed} kills`);
    digests.push(await digestOf(log, after));
  }
  assert.deepEqual(digests[0], digests[1]);
});
