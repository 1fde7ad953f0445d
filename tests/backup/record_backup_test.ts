import assert from "node:assert/strict";
import { copyRecords } from "../../streams/backup/record_backup.ts";
import type { RecordLog } from "../../streams/backup/cut.ts";
import { readRecords } from "../../streams/backup/record_file.ts";
import type { Log, LogRecord, Place } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { temporaryFolder } from "../scripts/command.ts";

/** A log in memory whose copies are made of records. */
function recordLog(log: MemoryLog, onEnds: (of: string) => Promise<void> = async () => {}): RecordLog {
  return Object.assign(log as Log, {
    refill: () => Promise.reject(new Error("not here")),
    endsOf: async (places: readonly Place[], of: "readable" | "written") => {
      const ends = await Promise.all(places.map(({ topic, partition }) => log.bounds(topic, partition)));
      await onEnds(of);
      return ends.map(({ end }) => end);
    },
  });
}

const record = (topic: string, n: number) => ({
  ...{
    topic,
    partition: 0,
    key: `k${n}`,
    value: n % 5 === 4 ? null : new Uint8Array(n % 300).fill(n),
    time: n,
  },
  ...n % 2 === 0 ? { headers: { input: `0/${n}/é` } } : {},
});

async function recordsIn(folder: string, topic: string): Promise<LogRecord[]> {
  return await Array.fromAsync(readRecords(`${folder}/${topic}-0.records`, { topic, partition: 0 }));
}

Deno.test("copyRecords() takes all generations of a deployment, and nothing of one whose prefix begins with its own", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  const more = ["meander.state.g2", "meander.parameters.mimn"];
  await log.createTopics([
    ...topicSpecs(topicNames("meander."), 1),
    ...topicSpecs(topicNames("meander.v2."), 1),
    ...more.map((name) => ({ name, partitions: 1, cleanup: "delete" as const })),
  ]);
  await log.append(Array.from({ length: 3000 }, (_, n) => record("meander.samples", n)));
  await log.append([record("meander.state.g2", 7)]);
  const topics = await copyRecords(recordLog(log), folder.path, "meander.", () => {});
  const own = [...topicSpecs(topicNames("meander."), 1).map(({ name }) => name), ...more];
  assert.deepEqual(topics.map(({ name }) => name), own.toSorted());
  for (const topic of ["meander.samples", "meander.state.g2", "meander.events"]) {
    assert.deepEqual(
      await recordsIn(folder.path, topic),
      await Array.fromAsync(readAll(log, topic, 0)),
      topic,
    );
  }
  await assert.rejects(
    copyRecords(recordLog(log), folder.path, "none.", () => {}),
    /Cannot back up the deployment of the prefix none\.: there is no none\.events; see --prefix/,
  );
});

Deno.test("copyRecords() looks for another moment when the log drops what came just before one", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topicNames(), 1));
  const topic = "meander.parameters";
  await log.append(Array.from({ length: 10 }, (_, n) => record(topic, n)));
  let looks = 0;
  const source = recordLog(log, async (of) => {
    // After the copy of all, and again once the first moment is chosen.
    if (++looks === 1) await log.append([record(topic, 10), record(topic, 11)]);
    if (of === "written" && looks < 6) {
      await log.append([record(topic, 12)]);
      await log.trim(topic, 0, 12);
    }
  });
  const topics = await copyRecords(source, folder.path, "meander.", () => {});
  assert.ok(looks > 4, "it has looked again");
  const { bounds } = topics.find(({ name }) => name === topic) ?? assert.fail();
  assert.deepEqual(bounds, [{ start: 12, end: 13 }]);
  const offsets = (await recordsIn(folder.path, topic)).map(({ offset }) => offset);
  assert.deepEqual(offsets, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]);
});

Deno.test("copyRecords() takes topics that were made while it copied, as what it has copied may name them", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topicNames(), 1));
  const [made, noted] = ["meander.state.g2", "meander.generations"];
  let looks = 0;
  const source = recordLog(log, async () => {
    if (++looks !== 1) return;
    await log.createTopics([{ name: made, partitions: 1, cleanup: "compact" }]);
    await log.append([record(made, 1), record(noted, 2)]);
  });
  const topics = await copyRecords(source, folder.path, "meander.", () => {});
  for (const topic of [made, noted]) {
    assert.ok(topics.some(({ name }) => name === topic), topic);
    assert.deepEqual(
      await recordsIn(folder.path, topic),
      await Array.fromAsync(readAll(log, topic, 0)),
    );
  }
});
