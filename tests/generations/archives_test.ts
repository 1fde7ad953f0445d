/** A generation that reads dropped records from backups equals one built on a log that has dropped nothing. */

import assert from "node:assert/strict";
import { backUp } from "../../streams/backup/backup.ts";
import { openArchived } from "../../streams/backup/archived_log.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { GivenLists } from "../../streams/task/inputs/given_lists.ts";
import { ownPosition } from "../../streams/task/inputs/inputs.ts";
import { INPUT } from "../../streams/topics/delivery.ts";
import { SQLITE_KIND } from "../../streams/log/sqlite/kind.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { Service } from "../../streams/service/service.ts";
import { generationTopics, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { OPTIONS, recordsOf, shopEvents, untilCommitted } from "../service/deployment.ts";
import { copyAll } from "./copies.ts";
import { build, built, digestOf, rebuildOptions, serve, topics } from "./built.ts";

/** Topics of the generation that is built after the log has dropped records. */
const third = generationTopics(topics, 3);

/** Makes a backup of a log. */
type BackUp = (log: Log, to: string, folder: string) => Promise<void>;

/** A log, and how it is backed up. */
interface Kind {
  readonly open: (folder: string) => Promise<Log>;
  readonly backUp: BackUp;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "a SQLite file": {
    open: (folder) => SqliteLog.open(`${folder}/log`),
    async backUp(_log, to, folder) {
      const options = { path: `${folder}/log` };
      await backUp({ kind: SQLITE_KIND, options, prefix: "meander.", to, by: "0.2.0", now: Date.now });
    },
  },
  "files of records": { open: () => Promise.resolve(new MemoryLog()), backUp: copyAll },
};

/** Drops the oldest share of the events and answers of each partition. */
async function drop(log: Log, share: number): Promise<void> {
  for (const topic of [topics.events, topics.recommendations]) {
    for (let p = 0; p < (await log.topics(topic)).get(topic)!.partitions; p++) {
      await log.trim(topic, p, Math.floor(share * (await log.bounds(topic, p)).end));
    }
  }
}

async function options(log: Log, archives: readonly string[]): Promise<RebuildOptions> {
  const { spec, ...rest } = await rebuildOptions(log);
  return { ...rest, spec: { ...spec, topics: third }, remembers: built, archives };
}

for (const [what, { open, backUp }] of Object.entries(KINDS)) {
  for (const partitions of [1, 2]) {
    Deno.test(`Rebuild gives the same bytes from backups and the rest of a log as from all of it: ${what}, ${partitions} partitions`, async () => {
      await using folder = await temporaryFolder();
      await using log = await open(folder.path);
      await serve(log, { partitions });
      await backUp(log, `${folder.path}/early`, folder.path);
      const more = shopEvents(260, 12).slice(shopEvents(120, 12).length);
      await log.append(recordsOf(more).filter(({ topic }) => topic === topics.events));
      {
        await using _service = await Service.start(log, { ...OPTIONS, partitions });
        await untilCommitted(log);
      }
      const { until } = await rebuildOptions(log);
      await build(log, await rebuildOptions(log));
      const whole = await digestOf(log);
      await drop(log, 0.2);
      await backUp(log, `${folder.path}/late`, folder.path); // the two overlap
      await drop(log, 0.8);
      const archives = [`${folder.path}/late`, `${folder.path}/early`];
      const own = await options(log, archives);
      let kills = 0;
      for (let life = 40; kills < 20; life += 60) {
        try {
          await build(new CrashingLog(log, life), own);
          break;
        } catch (error) {
          if (!(error instanceof Crash)) throw error;
          kills++;
        }
      }
      assert.ok(kills > 2, `${kills} kills`);
      assert.deepEqual(await digestOf(log, third), whole);
      await using rebuild = await Rebuild.open(log, own);
      const { done, of, archived, remembered } = rebuild.progress;
      assert.deepEqual([done, of], [until.reduce((a, b) => a + b), until.reduce((a, b) => a + b)]);
      assert.deepEqual(remembered, []);
      const starts = await Promise.all(until.map(async (_, p) => (await log.bounds(topics.events, p)).start));
      assert.deepEqual(
        archived,
        starts.map((start, partition) => ({ partition, read: start, missing: 0 })),
      );
    });
  }
}

Deno.test("openArchived() reports what neither backups nor the log have, and reads on after the gap", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log, { views: 60 });
  const { end } = await log.bounds(topics.events, 0);
  await copyAll(log, `${folder.path}/early`);
  await log.append(recordsOf(shopEvents(90, 12)).filter(({ topic }) => topic === topics.events));
  await log.trim(topics.events, 0, end + 40);
  await using archived = await openArchived(log, topics, [`${folder.path}/early`]);
  assert.deepEqual(archived.parts, [{ partition: 0, read: end, missing: 40 }]);
  const read = await archived.log.read(topics.events, 0, end);
  assert.deepEqual([read.records[0]?.offset, read.dropped], [end + 40, 40]);
  const offsets = await Array.fromAsync(readAll(archived.log, topics.events, 0), ({ offset }) => offset);
  assert.deepEqual(offsets.slice(0, 3), [0, 1, 2]);
  assert.deepEqual(offsets[end], end + 40);
  assert.equal(new Set(offsets).size, offsets.length);
});

Deno.test("Rebuild.open() takes from states what is older than all backups", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log);
  await build(log, await rebuildOptions(log));
  await drop(log, 0.3);
  await copyAll(log, `${folder.path}/late`);
  await drop(log, 0.8);
  const { start } = await log.bounds(topics.events, 0);
  await using rebuild = await Rebuild.open(log, await options(log, [`${folder.path}/late`]));
  const { archived: [part], remembered: [remembered] } = rebuild.progress;
  assert.ok(remembered!.behaviours > 0);
  assert.equal(remembered!.start + part!.read, start);
  while (await rebuild.step());
});

Deno.test("openArchived() leaves out users who were erased after the backup", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log);
  await copyAll(log, `${folder.path}/early`);
  const events = shopEvents(120, 12);
  const [user, time] = ["u3", events.at(-1)!.time];
  assert.ok(events.some((event) => event.user === user));
  await log.append(
    recordsOf([{ type: "forget", user, time }]).filter(({ topic }) => topic === topics.events),
  );
  {
    await using _service = await Service.start(log, OPTIONS);
    await untilCommitted(log);
  }
  await drop(log, 0.9);
  await using archived = await openArchived(log, topics, [`${folder.path}/early`]);
  const users = await Array.fromAsync(readAll(archived.log, topics.events, 0), ({ key }) => key);
  assert.ok(users.length > 100);
  assert.ok(users.every((key, n) => key !== user || n > users.length * 0.5), "only what the log has");
});

Deno.test("openArchived() refuses another deployment's backup that shares no record with the log", async () => {
  await using folder = await temporaryFolder();
  await using other = new MemoryLog();
  await other.createTopics(topicSpecs(topics, 1));
  await other.append(recordsOf(shopEvents(40, 5, 9)));
  await copyAll(other, `${folder.path}/other`);
  await using log = new MemoryLog();
  await serve(log);
  await drop(log, 0.9);
  assert.ok((await other.bounds(topics.events, 0)).end < (await log.bounds(topics.events, 0)).start);
  await assert.rejects(
    openArchived(log, topics, [`${folder.path}/other`]),
    /other as an archive of this log: meander\.events is another topic there, and the two share no record/,
  );
});

Deno.test("openArchived() refuses a file of records in which one byte has changed", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log);
  await copyAll(log, `${folder.path}/early`);
  await drop(log, 0.9);
  for (const topic of [topics.events, topics.recommendations]) {
    const path = `${folder.path}/early/${topic}-0.records`;
    const bytes = await Deno.readFile(path);
    const changed = bytes.slice();
    const at = new TextDecoder("latin1").decode(bytes).indexOf('"user":"u') + '"user":"u'.length;
    changed[at] = changed[at] === 0x31 ? 0x32 : 0x31; // still valid JSON, but of another user
    await Deno.writeFile(path, changed);
    await assert.rejects(
      openArchived(log, topics, [`${folder.path}/early`]),
      /early as an archive of this log: meander\.\w+-0\.records has changed since it was written/,
      topic,
    );
    await Deno.writeFile(path, bytes);
  }
  await Deno.writeTextFile(`${folder.path}/early/${topics.samples}-0.records`, "nothing"); // this one is not read
  await using _archived = await openArchived(log, topics, [`${folder.path}/early`]);
});

Deno.test("openArchived() fails a read where a backup has less than its manifest says", async () => {
  await using folder = await temporaryFolder();
  const { open, backUp } = KINDS["a SQLite file"]!;
  await using log = await open(folder.path);
  await serve(log);
  const { end } = await log.bounds(topics.events, 0);
  await backUp(log, `${folder.path}/early`, folder.path);
  const path = `${folder.path}/early/manifest.json`;
  const manifest = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, manifest.replace(`"end": ${end}`, `"end": ${end + 3}`));
  assert.notEqual(await Deno.readTextFile(path), manifest);
  await log.append(recordsOf(shopEvents(40, 5, 9)));
  await log.trim(topics.events, 0, end + 3);
  await using archived = await openArchived(log, topics, [`${folder.path}/early`]);
  await assert.rejects(
    archived.log.read(topics.events, 0, end),
    new RegExp(
      `meander\\.events/0@${end} from a backup: it ends there, but its manifest says ${end + 3}`,
    ),
  );
});

Deno.test("GivenLists finds answers after a stretch of a backup that has none", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log);
  const answers = await Array.fromAsync(readAll(log, topics.recommendations, 0));
  const [first, last] = [answers[0]!, answers.at(-1)!];
  await log.erase(topics.recommendations, 0, answers.slice(1, -1).map(({ offset }) => offset));
  await copyAll(log, `${folder.path}/early`);
  await log.trim(topics.events, 0, (await log.bounds(topics.events, 0)).end);
  await log.trim(topics.recommendations, 0, last.offset);
  await using archived = await openArchived(log, topics, [`${folder.path}/early`]);
  const hole = await archived.log.read(topics.recommendations, 0, first.offset + 1);
  assert.deepEqual(hole.records.map(({ offset }) => offset), [last.offset]);
  const request = Number(/\/(\d+)\//.exec(last.headers[INPUT]!)![1]);
  const lists = new GivenLists(archived.log, topics.recommendations, 0);
  await lists.readTo(0, request);
  assert.ok(lists.take(request) !== null);
});

Deno.test("Rebuild reads backups that are first named on resuming only if no round has been built yet", async () => {
  await using folder = await temporaryFolder();
  for (const isBegun of [false, true]) {
    await using log = new MemoryLog();
    await serve(log);
    await build(log, await rebuildOptions(log));
    await copyAll(log, `${folder.path}/${isBegun}`);
    await drop(log, 0.8);
    const without = { ...await options(log, []), roundEvents: 10 };
    const withThem = { ...without, archives: [`${folder.path}/${isBegun}`] };
    {
      await using rebuild = await Rebuild.open(log, without); // writes what is remembered
      if (isBegun) await rebuild.step();
    }
    if (isBegun) {
      const { start } = await log.bounds(topics.events, 0);
      assert.ok((await ownPosition(log, third, 0))!.next < start, "within what is remembered");
    }
    {
      await using rebuild = await Rebuild.open(log, withThem);
      assert.equal(rebuild.progress.remembered.length, isBegun ? 1 : 0);
      await rebuild.step();
    }
    await build(log, withThem);
    await using same = new MemoryLog();
    await serve(same);
    await build(same, await rebuildOptions(same));
    await drop(same, 0.8);
    await build(same, { ...await options(same, isBegun ? [] : withThem.archives), roundEvents: 10 });
    assert.deepEqual(await digestOf(log, third), await digestOf(same, third), `${isBegun}`);
  }
});

Deno.test("Rebuild.open() refuses to continue with backups that lack the events it needs next", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log);
  await build(log, await rebuildOptions(log));
  await copyAll(log, `${folder.path}/early`);
  await drop(log, 0.5);
  await copyAll(log, `${folder.path}/late`);
  await drop(log, 0.9);
  {
    await using rebuild = await Rebuild.open(
      log,
      await options(log, [`${folder.path}/early`, `${folder.path}/late`]),
    );
    await rebuild.step();
  }
  const { next } = (await ownPosition(log, third, 0))!;
  await assert.rejects(
    async () => Rebuild.open(log, await options(log, [`${folder.path}/late`])),
    new RegExp(
      `Cannot continue task 0 at ${next} of meander\\.events: neither the log nor the backups .* before \\d+`,
    ),
  );
  await build(log, await options(log, [`${folder.path}/late`, `${folder.path}/early`]));
});

Deno.test("openArchived() refuses what is not a backup of this log", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await serve(log);
  const refused = (name: string, why: RegExp) =>
    assert.rejects(openArchived(log, topics, [`${folder.path}/${name}`]), why);
  await refused("none", /none as a backup: it has no manifest\.json/);
  await using other = new MemoryLog();
  await other.createTopics(topicSpecs(topics, 1));
  await other.append(recordsOf(shopEvents(40, 5, 9)));
  await copyAll(other, `${folder.path}/other`);
  await refused(
    "other",
    /other as an archive of this log: the log has another record at offset 0 of meander\.events\/0/,
  );
  await using wide = new MemoryLog();
  await wide.createTopics(topicSpecs(topics, 3));
  await copyAll(wide, `${folder.path}/wide`);
  await refused("wide", /meander\.events has 3 partitions there, and 1 on the log/);
  await copyAll(log, `${folder.path}/damaged`);
  await Deno.writeTextFile(`${folder.path}/damaged/meander.events-0.records`, "nothing");
  await refused(
    "damaged",
    /damaged as an archive of this log: meander\.events-0\.records has 7 bytes instead of \d+/,
  );
  await using fresh = new MemoryLog();
  await fresh.createTopics(topicSpecs(topics, 1));
  await copyAll(log, `${folder.path}/longer`);
  await assert.rejects(
    openArchived(fresh, topics, [`${folder.path}/longer`]),
    /partition 0 of meander\.events ends at \d+ in the backup, and at 0/,
  );
});
