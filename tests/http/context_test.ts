import assert from "node:assert/strict";
import type { Entering } from "../../streams/http/backlog.ts";
import { appendTaken } from "../../streams/http/context.ts";
import type { ArrivingRecord } from "../../streams/http/contract/arriving.ts";
import { InTurn } from "../../streams/log/in_turn.ts";
import { LogError, type NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();

Deno.test("appendTaken() appends each record once, in portions of whole entries, and rejects too large ones", async () => {
  const entries = [0, 0, 0, 1, 2, 3, 3, 4, 5];
  const records = entries.map((entry, n): ArrivingRecord => ({
    topic: topics.events,
    key: `u${n}`,
    time: 0,
    work: 1,
    value: new Uint8Array(entry === 3 || entry === 4 ? 100 : 1),
  }));
  const rejected = [{ index: 6, code: "not-json", reason: "it is none" }] as const;
  for (const portion of [1, 2, 3, 5, 100]) {
    await using log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    const small = new Proxy(log, {
      get(inner, name: keyof MemoryLog) {
        const value = inner[name];
        if (name !== "append") return typeof value === "function" ? value.bind(inner) : value;
        return async (given: readonly NewRecord[]) => {
          const large = [...given.keys()].filter((at) => given[at]!.value!.length > 10);
          if (large.length > 0) throw new LogError("too-large", "at most 10 bytes", { records: large });
          return await inner.append(given);
        };
      },
    });
    const begun: boolean[] = [];
    const backlog = {
      portion,
      enter: <T>(
        { isBegun = false }: { readonly isBegun?: boolean | undefined },
        append: () => Promise<T>,
      ) => {
        begun.push(isBegun);
        return append();
      },
    };
    const backlogs = new Map([[topics.events, backlog]]);
    const context = { log: small, topics, itemWrites: new InTurn(), backlogs, service: undefined };
    const taken = await appendTaken(context, { records, entries, rejected }, "a");
    assert.deepEqual(taken.entries, [0, 0, 0, 1, 2, 5], `${portion}`);
    assert.deepEqual(taken.rejected.map(({ index, code }) => [index, code]), [
      [3, "too-large"],
      [4, "too-large"],
      [6, "not-json"],
    ]);
    const { records: there } = await log.read(topics.events, 0, 0);
    assert.deepEqual(there.map(({ key }) => key), ["u0", "u1", "u2", "u3", "u4", "u8"]);
    assert.equal(begun[0], false);
  }
});

Deno.test("appendTaken() cuts portions by work, of at least one record each", async () => {
  const works = [1, 1, 7, 1, 1, 50, 1, 9, 2];
  const records = works.map((work, n) => ({
    topic: topics.events,
    key: `u${n}`,
    value: new Uint8Array(1),
    time: 0,
    work,
  }));
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const entered: (readonly [number, number])[] = [];
  const backlog = {
    portion: 10,
    enter: <T>({ events, work }: Entering, append: () => Promise<T>) => {
      entered.push([events, work]);
      return append();
    },
  };
  const context = {
    log,
    topics,
    itemWrites: new InTurn(),
    backlogs: new Map([[topics.events, backlog]]),
    service: undefined,
  };
  await appendTaken(context, { records, entries: [...records.keys()], rejected: [] }, "a");
  assert.deepEqual(entered, [[4, 10], [1, 1], [1, 50], [2, 10], [1, 2]]);
  const { records: there } = await log.read(topics.events, 0, 0);
  assert.equal(there.length, records.length);
});
