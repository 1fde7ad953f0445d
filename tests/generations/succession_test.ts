import assert from "node:assert/strict";
import { Succession, type SuccessionOptions } from "../../streams/generations/succession.ts";
import type { Log } from "../../streams/log/log.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { warnings } from "../log/warnings.ts";
import { topics } from "./built.ts";

Deno.test("Succession can resume following after a service could not be replaced", async () => {
  const ending = new AbortController();
  const place = {
    isReleased: false,
    replace() {
      throw new Error("it is not released");
    },
  };
  const succession = new Succession({ identify: () => Promise.resolve(null) } as unknown as Log, {
    topics,
    place,
    ends: [0],
    serving: 1,
    signal: ending.signal,
    start: () => assert.fail("nobody takes over"),
    clock: () => 0,
    now: () => 0,
  } as unknown as SuccessionOptions);
  await assert.rejects(succession.replace(1, { ends: [] } as never), /not released/);
  await succession.resume();
  ending.abort();
  await succession.ended;
});

Deno.test("Succession.fence() fences the tasks of the given generation, whichever this process runs", async () => {
  const ending = new AbortController();
  const fenced: string[] = [];
  const log = {
    identify: () => Promise.resolve(null),
    writer: (id: string) => {
      fenced.push(id);
      return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() });
    },
  };
  const succession = new Succession(log as unknown as Log, {
    topics,
    place: { isReleased: false },
    ends: [0],
    serving: 1,
    signal: ending.signal,
    clock: () => 0,
    now: () => 0,
  } as unknown as SuccessionOptions);
  await using _held = await succession.fence(2, 3);
  assert.deepEqual(fenced, [0, 1, 2].map((task) => `meander.events-tasks.g2-${task}`));
  ending.abort();
  await succession.ended;
});

Deno.test("Succession looks again, and goes on, when the topic of generations has lost what it has read", async () => {
  await using log = new AdministeredLog();
  const { generations } = topics;
  await log.createTopics([{ name: generations, partitions: 1, cleanup: "compact" }]);
  const ending = new AbortController();
  let looked = Promise.withResolvers<void>();
  const succession = new Succession(log, {
    topics,
    place: { isReleased: false },
    ends: [Infinity],
    serving: 1,
    signal: ending.signal,
    start: () => assert.fail("nothing else serves"),
    onRecord: () => Promise.resolve(looked.resolve()),
    clock: () => 0,
    now: () => 0,
  } as unknown as SuccessionOptions);
  const looksAfter = async (act: () => Promise<unknown>) => {
    await Promise.race([looked.promise, succession.ended]);
    looked = Promise.withResolvers();
    await act();
    await Promise.race([looked.promise, succession.ended]);
  };
  const record = { topic: generations, partition: 0, key: "note", value: null, time: 0 };
  await looksAfter(() => log.append([record]));
  const said = await warnings(() => looksAfter(() => log.lose(generations)));
  assert.match(said.join(), /generations\/0 has lost what this process had read from 0 on/);
  await looksAfter(() => log.append([record]));
  ending.abort();
  await succession.ended;
});

Deno.test("Succession ends when it cannot follow what is left of the topic of generations", async () => {
  await using log = new AdministeredLog();
  const { generations } = topics;
  await log.createTopics([{ name: generations, partitions: 1, cleanup: "compact" }]);
  const record = { topic: generations, partition: 0, key: "note", value: null, time: 0 };
  await log.append([record]);
  const ending = new AbortController();
  const looks = [0, 1, 2].map(() => Promise.withResolvers<void>());
  let looked = 0;
  const succession = new Succession(log, {
    topics,
    place: { isReleased: false },
    ends: [Infinity],
    serving: 1,
    signal: ending.signal,
    onRecord() {
      looks[looked++]!.resolve();
      return looked === 2 ? Promise.reject(new Error("cannot follow")) : Promise.resolve();
    },
    clock: () => 0,
    now: () => 0,
  } as unknown as SuccessionOptions);
  const ended = assert.rejects(succession.ended, /cannot follow/);
  await looks[0]!.promise;
  await warnings(async () => {
    await log.lose(generations);
    await looks[1]!.promise;
  });
  await log.append([record]);
  const swallowed = looks[2]!.promise.then(() => assert.fail("it went on"));
  await Promise.race([ended, swallowed]).finally(() => ending.abort());
});
