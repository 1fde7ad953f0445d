import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { mulberry32 } from "../../src/draws/random.ts";
import { LogError } from "../../streams/log/log.ts";
import { readMemory } from "../../streams/log/sqlite/end/end_file.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import type { SqliteLogOptions } from "../../streams/log/sqlite/sqlite_store.ts";
import { all, hasCode, record } from "../contracts/log_suite.ts";
import { confirmed } from "./confirmed.ts";
import { warnings } from "./warnings.ts";

const folder = await Deno.makeTempDir({ prefix: "meander-damage-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const FILES = ["", "-wal", "-end"] as const;
/** A start of the machine, and one after its power was cut. */
const [BOOT, NEXT_BOOT] = [1e12, 1e12 + 3600_000];

/** The files of a log, as they lie on a disk. */
type Files = ReadonlyMap<string, Uint8Array>;

let copies = 0;
const open = (path: string, options: SqliteLogOptions = {}) =>
  SqliteLog.open(path, { boot: BOOT, ...options });

/** The files that a process killed now would leave. */
function filesOf(path: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const suffix of FILES) {
    try {
      files.set(suffix, Deno.readFileSync(path + suffix));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return files;
}

/** Writes files to a place of their own. @returns where */
function placed(files: Files): string {
  const path = `${folder}/${copies++}.db`;
  for (const [suffix, bytes] of files) Deno.writeFileSync(path + suffix, bytes);
  return path;
}

function removed(path: string): void {
  for (const suffix of [...FILES, "-shm", "-lock"]) {
    try {
      Deno.removeSync(path + suffix);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

const EVENTS = 400;
const USERS = 40;

/** Fills a log with events, states of users and a position, in many commits. */
async function fill(log: SqliteLog, from = 0, to = EVENTS): Promise<void> {
  await log.createTopics([
    { name: "events", partitions: 2, cleanup: "delete" },
    { name: "state", partitions: 1, cleanup: "compact" },
  ]);
  await using writer = await log.writer("w");
  for (let n = from; n < to; n++) {
    await writer.commit({
      records: [
        {
          ...record("events", n % 2, `event ${n} `.repeat(8)),
          key: `user ${n % USERS}`,
          headers: n % 3 ? {} : { n: `${n}` },
        },
        { ...record("state", 0, `state ${n} `.repeat(n % 29 === 0 ? 900 : 8)), key: `user ${n % USERS}` },
      ],
      group: "g",
      offsets: [{ topic: "events", partition: n % 2, offset: n >> 1 }],
    });
  }
}

/** Everything that a reader can find. */
async function contentOf(log: SqliteLog): Promise<unknown> {
  const topics = [...await log.topics()];
  const records = await Promise.all(
    topics.map(([name, { partitions }]) =>
      Promise.all(Array.from({ length: partitions }, (_, p) => all(log, name, p)))
    ),
  );
  const latest = await Promise.all(
    Array.from({ length: USERS }, (_, n) => log.latest("state", 0, `user ${n}`)),
  );
  const bounds = await Promise.all(topics.map(([name]) => log.bounds(name, 0)));
  const positions = await Promise.all([0, 1].map((p) => log.committed("g", "events", p)));
  return { topics, records, latest, bounds, positions };
}

/** The files of a filled log whose process was killed: some of it in the database, the rest in the write-ahead log. */
async function killed(): Promise<{ readonly files: Files; readonly content: unknown }> {
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await fill(log, 0, EVENTS / 2);
  }
  const log = await open(path);
  await fill(log, EVENTS / 2);
  const files = filesOf(path);
  const content = await contentOf(log);
  await log[Symbol.asyncDispose]();
  return { files, content };
}

/** The outcome of opening and reading everything: `whole`, or the message of an error. */
async function outcome(files: Files, content: unknown, options: SqliteLogOptions = {}): Promise<string> {
  const path = placed(files);
  try {
    await using log = await open(path, options);
    assert.deepEqual(await contentOf(log), content, "something else was read without an error");
    return "whole";
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok((error as Error).message.includes(path), `${error}`);
    return (error as Error).message;
  } finally {
    removed(path);
  }
}

function changed(files: Files, suffix: string, change: (bytes: Uint8Array) => Uint8Array): Files {
  return new Map(files).set(suffix, change(Uint8Array.from(files.get(suffix)!)));
}

for (const suffix of FILES) {
  Deno.test(`SqliteLog reads everything or refuses, whichever bit of <path>${suffix} is flipped`, async () => {
    const { files, content } = await killed();
    const random = mulberry32(11 + suffix.length);
    let refused = 0;
    const tries = 60;
    for (let n = 0; n < tries; n++) {
      const at = Math.floor(random() * files.get(suffix)!.length);
      const bit = Math.floor(8 * random());
      const spoilt = changed(files, suffix, (bytes) => {
        bytes[at]! ^= 1 << bit;
        return bytes;
      });
      try {
        if (await outcome(spoilt, content) !== "whole") refused++;
      } catch (error) {
        throw new Error(`bit ${bit} of byte ${at}: ${(error as Error).message}`, { cause: error });
      }
    }
    assert.ok(suffix === "-end" || refused > 0, `${refused} refused`);
  });
}

Deno.test("SqliteLog refuses a write-ahead log that ends too soon, and names what is missing", async () => {
  const { files, content } = await killed();
  assert.equal(await outcome(files, content), "whole");
  const { length } = files.get("-wal")!;
  const frame = 4096 + 24;
  const ends = [0, 1, 31, 32, 32 + frame, 32 + 5 * frame + 11, 32 + 24, length - frame, length - 1];
  for (const end of ends) {
    const message = await outcome(changed(files, "-wal", (bytes) => bytes.slice(0, end)), content);
    assert.match(
      message,
      /holds less than was acknowledged.*offset.* of events\/[01] (is|are) missing/,
      `cut at ${end}`,
    );
  }
  const without = new Map(files);
  without.delete("-wal");
  assert.match(await outcome(without, content), /offsets 100 to 199 of events\/0 are missing/);
});

Deno.test("SqliteLog refuses a database that is cut off, or that has a page which was not written", async () => {
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await fill(log);
  }
  const files = filesOf(path);
  let content: unknown;
  {
    await using log = await open(path);
    content = await contentOf(log);
  }
  const pages = files.get("")!.length / 4096;
  const random = mulberry32(3);
  let refused = 0;
  for (let n = 0; n < 40; n++) {
    const page = 1 + Math.floor(random() * (pages - 1));
    // Torn: the second half of the page has something else; or none of it was ever written; or it ends there.
    const spoilt = changed(files, "", (bytes) => {
      const at = page * 4096;
      if (n % 4 === 0) return bytes.slice(0, at + (n % 8 === 0 ? 0 : 700));
      if (n % 4 === 1) return bytes.fill(0, at, at + 4096);
      if (n % 4 === 2) return bytes.fill(0, at + 2048, at + 4096);
      bytes.copyWithin(at + 512, at - 4096 + 512, at); // half of its neighbour
      return bytes;
    });
    if (await outcome(spoilt, content) !== "whole") refused++;
  }
  assert.ok(refused > 20, `${refused} refused`);
});

Deno.test("SqliteLog leaves all files as they are when it refuses them", async () => {
  const { files } = await killed();
  const spoilt = changed(files, "-wal", (bytes) => bytes.fill(0, 40_000, 40_100));
  const path = placed(spoilt);
  await assert.rejects(open(path), hasCode("corrupt"));
  assert.deepEqual(filesOf(path), spoilt);
  // The way out that the message names.
  await Deno.remove(`${path}-end`);
  await using log = await open(path);
  assert.ok((await all(log, "events", 0)).length >= EVENTS / 4);
});

Deno.test("SqliteLog refuses an older database, unless the files beside it are as old", async () => {
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await fill(log, 0, 100);
  }
  const backup = filesOf(path);
  {
    await using log = await open(path);
    await fill(log, 100, 200);
  }
  await Deno.writeFile(path, backup.get("")!);
  const message = /holds less than .*offsets 50 to 99 of events\/0 are missing.*older copy.*move .*-end away/;
  for (const boot of [BOOT, NEXT_BOOT, NaN]) {
    await assert.rejects(open(path, { boot }), { code: "corrupt", message });
  }
  await Deno.remove(path);
  await assert.rejects(open(path), /offsets 0 to 99 of events\/0/);
  removed(path);
  // With the files that belong to it, it is a log like any other, on any machine.
  await using log = await open(placed(backup), { boot: NEXT_BOOT });
  assert.equal((await all(log, "events", 0)).length, 50);
});

Deno.test("SqliteLog starts after a power cut, says what is lost, and refuses when more is gone than can be", async () => {
  const path = `${folder}/${copies++}.db`;
  let log = await open(path, { syncMs: 1 });
  await fill(log, 0, 100);
  await confirmed(path);
  const synced = filesOf(path);
  await log[Symbol.asyncDispose]();
  // The log goes on there, without another sync.
  const on = placed(synced);
  log = await open(on, { syncMs: 3600_000 });
  await fill(log, 100, 140);
  const cut = changed(filesOf(on), "-wal", (bytes) => bytes.slice(0, synced.get("-wal")!.length));
  await log[Symbol.asyncDispose]();
  await assert.rejects(
    open(placed(cut), { boot: BOOT }),
    /acknowledged, and the machine has run since.*offsets 50 to 69/,
  );
  for (const boot of [NEXT_BOOT, NaN]) {
    const again = placed(cut);
    const said = await warnings(async () => {
      await using log = await open(again, { boot });
      assert.equal((await all(log, "events", 0)).length, 50);
    });
    assert.match(
      said.join(),
      /80 acknowledged records are lost.*offsets 50 to 69 of events\/0 are missing/,
    );
    // Once.
    assert.deepEqual(
      await warnings(async () => void await (await open(again, { boot }))[Symbol.asyncDispose]()),
      [],
    );
  }
  const less = changed(cut, "-wal", (bytes) => bytes.slice(0, bytes.length / 2));
  await assert.rejects(open(placed(less), { boot: NEXT_BOOT }), /holds less than was confirmed by the disk/);
});

Deno.test("SqliteLog says what may be lost after a power cut that also took its note of the end", async () => {
  const path = `${folder}/${copies++}.db`;
  const log = await open(path, { syncMs: 3600_000 });
  await fill(log, 0, 100);
  const early = filesOf(path);
  await fill(log, 100, 140);
  const late = filesOf(path);
  await log[Symbol.asyncDispose]();
  const closed = filesOf(path);
  const said = async (files: Files, boot: number) => {
    const again = placed(files);
    const lines = await warnings(async () => void await (await open(again, { boot }))[Symbol.asyncDispose]());
    // Once.
    assert.deepEqual(
      await warnings(async () => void await (await open(again, { boot }))[Symbol.asyncDispose]()),
      [],
    );
    return lines.join();
  };
  // Neither the records nor the note of the forty commits are there.
  assert.match(
    await said(early, NEXT_BOOT),
    /not closed before the machine stopped: what was acknowledged within 3600000 ms.* may be lost; .*offsets 50, 50 of events$/,
  );
  assert.match(
    await said(early, NaN),
    /has no permission to see whether the machine has stopped since.*offsets 50, 50 of events$/,
  );
  // Some were noted, and more may have been.
  const cut = new Map(late).set("-wal", early.get("-wal")!);
  assert.match(
    await said(cut, NEXT_BOOT),
    /80 acknowledged records are lost.* In addition, what was acknowledged/,
  );
  for (const [files, boot] of [[early, BOOT], [late, BOOT], [closed, NEXT_BOOT], [closed, NaN]] as const) {
    assert.equal(await said(files, boot), "");
  }
});

Deno.test("SqliteLog with durability power is silent after a power cut, and refuses when anything is gone", async () => {
  const path = `${folder}/${copies++}.db`;
  const log = await open(path, { durability: "power", syncMs: 3600_000 });
  await fill(log, 0, 20);
  const early = filesOf(path);
  await fill(log, 20, 40);
  const late = filesOf(path);
  await log[Symbol.asyncDispose]();
  const again = placed(late);
  const lines = await warnings(async () =>
    void await (await open(again, { boot: NEXT_BOOT }))[Symbol.asyncDispose]()
  );
  assert.deepEqual(lines, []);
  const cut = new Map(late).set("-wal", early.get("-wal")!);
  await assert.rejects(open(placed(cut), { boot: NEXT_BOOT }), /holds less than was confirmed by the disk/);
  // Neither of the acknowledged states can be read: they were written and not yet waited for.
  const torn = placed(changed(late, "-end", (bytes) => bytes.fill(0xa5, 4096, 4096 + 2 * 16384)));
  const none = await warnings(async () =>
    void await (await open(torn, { boot: NEXT_BOOT }))[Symbol.asyncDispose]()
  );
  assert.deepEqual(none, []);
});

Deno.test("SqliteLog.open() has the disk confirm what the process before has left", async () => {
  const path = `${folder}/${copies++}.db`;
  const log = await open(path, { syncMs: 3600_000 });
  await fill(log, 0, 40);
  const again = placed(filesOf(path));
  await log[Symbol.asyncDispose]();
  const next = await open(again, { syncMs: 3600_000 });
  const memory = readMemory(`${again}-end`);
  assert.ok(typeof memory === "object" && memory.acknowledged !== undefined);
  const wanted = memory.acknowledged.state;
  assert.deepEqual(wanted.missingIn(memory.confirmed!.state), { shortfalls: [], others: [] });
  await next[Symbol.asyncDispose]();
});

Deno.test("SqliteLog opens when the file that records its end was torn by a power cut", async () => {
  const { files } = await killed();
  // Neither of the acknowledged states can be read, and what the disk has confirmed can.
  const torn = changed(files, "-end", (bytes) => bytes.fill(0xa5, 4096, 4096 + 2 * 16384));
  await assert.rejects(open(placed(torn), { boot: BOOT }), /-end, which records its end, is damaged/);
  const said = await warnings(async () =>
    void await (await open(placed(torn), { boot: NEXT_BOOT }))[Symbol.asyncDispose]()
  );
  assert.match(
    said.join(),
    /its end was being recorded when .* may be lost; the log ends at offsets 200, 200 of events$/,
  );
});

Deno.test("SqliteLog warns once when the file of its end is missing, and refuses records without checksums", async () => {
  const path = `${folder}/${copies++}.db`;
  let content: unknown;
  {
    await using log = await open(path);
    await fill(log);
    content = await contentOf(log);
  }
  await Deno.remove(`${path}-end`);
  const said = await warnings(async () => {
    await using log = await open(path);
    assert.deepEqual(await contentOf(log), content);
    await log.append([record("events", 0, "another")]);
  });
  assert.match(said.join(), /there is no .*-end/);
  assert.deepEqual(await warnings(async () => void await (await open(path))[Symbol.asyncDispose]()), []);
  const db = new DatabaseSync(path);
  db.exec('UPDATE records_1_0 SET headers = NULL WHERE "offset" = 200');
  db.close();
  await using log = await open(path);
  assert.equal((await log.read("events", 0, 0, { maxRecords: 200 })).records.length, 200);
  await assert.rejects(all(log, "events", 0, 200), /offset 200 of events\/0 .*its checksum does not match/);
  assert.match(log.verify().problems.join(), /offset 200 of events\/0/);
});

Deno.test("SqliteLog refuses rows that are swapped, moved, missing or put back, and names the offset", async () => {
  const changes: readonly (readonly [sql: string, message: RegExp])[] = [
    [
      'UPDATE records_1_0 SET "offset" = -1 WHERE "offset" = 7; UPDATE records_1_0 SET "offset" = 7 WHERE "offset" = 8; ' +
      'UPDATE records_1_0 SET "offset" = 8 WHERE "offset" = -1',
      /offset 7 of events\/0 /,
    ],
    [
      'DELETE FROM records_1_0 WHERE "offset" BETWEEN 20 AND 29',
      /offset 20 of events\/0 .* all up to 29 are missing/,
    ],
    ['DELETE FROM records_1_0 WHERE "offset" > 189', /offsets 190 to 199 of events\/0 are missing/],
    [
      'INSERT OR REPLACE INTO records_1_0 SELECT * FROM records_1_1 WHERE "offset" = 31',
      /offset 31 of events\/0 /,
    ],
    ["UPDATE records_2_0 SET key = 'somebody' WHERE key = 'user 5'", /of state\/0 .*checksum/],
    [
      'UPDATE positions SET "offset" = 3',
      /the position of group g in events\/0 has changed since it was written/,
    ],
    ["DELETE FROM positions", /the position of group g in events\/0 is missing/],
    ["INSERT INTO trims VALUES ('events', 0, 50)", /events\/0 has offset 0, but was trimmed up to 50/],
    ["UPDATE topics SET name = 'other' WHERE name = 'state'", /topic state is missing/],
    ["UPDATE identities SET id = 'x'", /topic events was replaced/],
  ];
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await fill(log);
  }
  const files = filesOf(path);
  for (const [sql, message] of changes) {
    const own = placed(files);
    const db = new DatabaseSync(own);
    db.exec(sql);
    db.close();
    await assert.rejects(
      async () => {
        await using log = await open(own);
        await contentOf(log);
      },
      { code: "corrupt", message },
      sql,
    );
  }
});

Deno.test("SqliteLog.verify() reads everything, and names what is damaged", async () => {
  const { files } = await killed();
  const path = placed(files);
  {
    await using log = await open(path);
    assert.deepEqual(log.verify(), { records: EVENTS + USERS, problems: [] });
  }
  const bytes = await Deno.readFile(path);
  const at = new TextDecoder("latin1").decode(bytes).indexOf("event 30 event 30");
  bytes[at]! ^= 4;
  await Deno.writeFile(path, bytes);
  await using log = await open(path);
  const { problems } = log.verify();
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /offset 15 of events\/0 .*checksum/);
});

Deno.test("SqliteLog tells records that were erased, trimmed or superseded from those that are lost", async () => {
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await fill(log, 0, 60);
    await log.trim("events", 1, 10);
    await log.erase("events", 0, [0, 5, 6, 29]);
    await log.erase("state", 0, [21]);
  }
  await using log = await open(path);
  const offsets = (await all(log, "events", 0)).map(({ offset }) => offset);
  assert.deepEqual(
    offsets,
    Array.from({ length: 30 }, (_, n) => n).filter((n) => ![0, 5, 6, 29].includes(n)),
  );
  assert.deepEqual(await log.bounds("events", 0), { start: 0, end: 30 });
  assert.deepEqual(log.verify(), { records: 26 + 20 + USERS - 1, problems: [] });
});

Deno.test("SqliteLog.open() refuses the same file by another name, and a file with two names", async () => {
  // Commands take `locked` for another process that has the log open.
  const hasTwoNames = (error: Error) => /2 names/.test(error.message) && !("code" in error);
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await fill(log, 0, 10);
    await Deno.symlink(path, `${path}.soft`);
    await assert.rejects(open(`${path}.soft`), hasCode("locked"));
    await Deno.link(path, `${path}.hard`);
    await assert.rejects(open(`${path}.hard`), hasTwoNames);
    await log.append([record("events", 0, "goes on")]);
  }
  await assert.rejects(open(path), hasTwoNames);
  await Deno.remove(`${path}.hard`);
  {
    await using log = await open(`${path}.soft`);
    assert.equal((await all(log, "events", 0)).length, 6);
  }
  await assert.rejects(Deno.stat(`${path}.soft-end`), Deno.errors.NotFound);
  await Deno.remove(path);
  await assert.rejects(open(`${path}.soft`), /symbolic link to a file that does not exist/);
});

Deno.test("SqliteLog accepts no writes once its write-ahead log was removed, and loses nothing", async () => {
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path, { syncMs: 1 });
    await fill(log, 0, 10);
    await confirmed(path);
    await Deno.remove(`${path}-wal`);
    await warnings(() =>
      assert.rejects(async () => {
        for (;;) {
          await log.append([record("events", 0, "more")]);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }, /Cannot write to the log .*-wal was removed while in use/)
    );
  }
  await using log = await open(path);
  assert.ok((await all(log, "events", 0)).length > 5);
});

Deno.test("SqliteLog.open() refuses a stranger's file with impossible topics, views or triggers, without a long search", async () => {
  const endless = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n";
  const changes: readonly (readonly [sql: string, message: RegExp])[] = [
    [
      "UPDATE topics SET partitions = 1000000000",
      /its list of topics is wrong: .* with 1000000000 partitions/,
    ],
    ["UPDATE topics SET partitions = 'x'", /list of topics is wrong/],
    ["UPDATE topics SET name = '../../etc/x'", /list of topics is wrong: .*"\.\.\/\.\.\/etc\/x"/],
    ["UPDATE topics SET cleanup = 'x'", /list of topics is wrong: .* cleanup is x/],
    [`DROP TABLE scrubs; CREATE VIEW scrubs AS ${endless}`, /it has the view or trigger "scrubs"/],
    ["CREATE TRIGGER t AFTER INSERT ON topics BEGIN DELETE FROM ends; END", /it has the view or trigger "t"/],
  ];
  const path = `${folder}/${copies++}.db`;
  {
    await using log = await open(path);
    await log.createTopics([{ name: "events", partitions: 1, cleanup: "delete" }]);
    await log.append([record("events", 0, "a")]);
  }
  const files = filesOf(path);
  for (const [sql, message] of changes) {
    const changed = placed(files);
    {
      using db = new DatabaseSync(changed);
      db.exec(sql);
    }
    const isRefused = (error: unknown) => {
      assert.ok(error instanceof LogError && error.code === "corrupt", `${sql}: ${error}`);
      assert.match(error.message, message);
      return true;
    };
    await assert.rejects(open(changed), isRefused);
    removed(changed);
  }
});
