import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { appendTo } from "../../streams/exports/archive.ts";
import { CONTENTS } from "../../streams/exports/contents.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { openSource } from "../../streams/sources/open.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { temporaryFolder } from "../scripts/command.ts";

const topics = topicNames();
const START = Date.UTC(2026, 0, 1);

async function append(log: Log, from: number, to: number): Promise<void> {
  await log.append(Array.from({ length: to - from }, (_, n) => {
    const user = `u${(from + n) % 7}`;
    const event = { type: "forget", user, time: START + from + n } as const;
    return { topic: topics.events, key: user, value: encodeEvent(event), time: 0 };
  }));
}

async function logOf(events: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  await append(log, 0, events);
  return log;
}

const archive = (file: string, log: Log, onStep?: (step: string) => void, topic = topics.events) =>
  appendTo(file, log, topic, CONTENTS.events, undefined, onStep);

async function timesIn(file: string): Promise<number[]> {
  const records = await Array.fromAsync(openSource("meander", file));
  return records.map((record) => record.kind === "event" ? record.event.time - START : NaN);
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

for (const name of ["events.jsonl", "events.jsonl.gz"]) {
  Deno.test(`appendTo() continues ${name} where it ended, and ingest reads it`, async () => {
    await using folder = await temporaryFolder();
    const file = `${folder.path}/archive/${name}`;
    await using log = await logOf(100);
    assert.equal((await archive(file, log)).lines, 100);
    assert.equal((await archive(file, log)).lines, 0);
    await append(log, 100, 130);
    assert.deepEqual((await archive(file, log)).lines, 30);
    assert.deepEqual(await timesIn(file), upTo(130));
  });

  Deno.test(`appendTo() writes each record to ${name} once, wherever it is killed`, async () => {
    await using folder = await temporaryFolder();
    await using log = await logOf(60);
    for (let crash = 1, done = false; !done; crash++) {
      const file = `${folder.path}/${crash}-${name}`;
      let steps = 0;
      const onStep = (step: string) => {
        if (++steps === crash) throw new Error(`killed: ${step}`);
      };
      try {
        await archive(file, log, onStep);
        done = true;
      } catch (error) {
        assert.match(String(error), /killed/);
      }
      await archive(file, log);
      assert.deepEqual(await timesIn(file), upTo(60), `killed at step ${crash}`);
      assert.ok(crash < 30 && (done || crash > 0));
      if (done) assert.ok(crash > 6, "there are several steps at which to be killed");
    }
  });
}

Deno.test("appendTo() counts what retention dropped before it was exported", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/events.jsonl`;
  await using log = await logOf(0);
  await log.append(
    upTo(50).map((n) => {
      const value = encodeEvent({ type: "forget", user: "a", time: START + n });
      return { topic: topics.events, partition: 0, key: "a", value, time: 0 };
    }),
  );
  assert.equal((await archive(file, log)).lost, 0);
  await log.append(
    upTo(50).map((n) => {
      const value = encodeEvent({ type: "forget", user: "a", time: START + 50 + n });
      return { topic: topics.events, partition: 0, key: "a", value, time: 0 };
    }),
  );
  await log.trim(topics.events, 0, 60);
  assert.deepEqual(await archive(file, log).then(({ lines, lost }) => [lines, lost]), [40, 10]);
  assert.equal(JSON.parse(await Deno.readTextFile(`${file}-position`)).lost, 10);
});

Deno.test("appendTo() refuses a file that is not its own archive", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await using log = await logOf(20);
  await Deno.writeTextFile(at("foreign.jsonl"), "{}\n");
  await assert.rejects(archive(at("foreign.jsonl"), log), /it exists, but its position file is missing/);
  assert.equal(await Deno.readTextFile(at("foreign.jsonl")), "{}\n");
  await archive(at("a.jsonl"), log);
  await assert.rejects(
    archive(at("a.jsonl"), log, undefined, topics.items),
    /is an archive of meander\.events/,
  );
  {
    await using other = await logOf(20);
    await assert.rejects(archive(at("a.jsonl"), other), /was deleted and created again since/);
  }
  {
    await using older = await logOf(3);
    older.identify = (topic) => log.identify(topic);
    await assert.rejects(
      archive(at("a.jsonl"), older),
      /it ends at \d, so it is not what was exported before/,
    );
  }
  {
    using busy = await Deno.open(at("a.jsonl"), { write: true });
    await busy.lock(true);
    await assert.rejects(archive(at("a.jsonl"), log), /another process has it open/);
  }
  await Deno.truncate(at("a.jsonl"), 10);
  await assert.rejects(archive(at("a.jsonl"), log), /it has only 10 of the \d+ bytes that were written/);
  await Deno.writeTextFile(at("a.jsonl-position"), "{");
  await assert.rejects(archive(at("a.jsonl"), log), /Cannot read .*a\.jsonl-position, which says where/);
});
