/** Failures of backup and restore: each is refused with a message that says what to do, and leaves nothing behind. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { backUp } from "../../streams/backup/backup.ts";
import { MANIFEST, readManifest, writeManifest } from "../../streams/backup/manifest.ts";
import { filesOf } from "../../streams/backup/record_backup.ts";
import { RecordFile } from "../../streams/backup/record_file.ts";
import { restore } from "../../streams/backup/restore.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { kindOf } from "../../streams/log/kinds/kinds.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { outputOf } from "../deploy/tools.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { meanderCommand } from "./meander.ts";

const kind = kindOf("sqlite");

const backUpTo = (path: string, to: string, tell = () => {}) =>
  backUp({ kind, options: { path }, prefix: "meander.", to, by: "0.2.0", now: () => 0, tell });
const restoreTo = (
  from: string,
  path: string,
  verifyOnly = false,
  tell: (done: number, all: number) => void = () => {},
) =>
  restore({
    from,
    kind,
    options: { path },
    prefix: "meander.",
    reads: NEWEST_FORMATS,
    verifyOnly,
    now: Date.now,
    tell,
  });

/** A log of some records. */
async function filled(path: string, records = 2000): Promise<SqliteLog> {
  const log = await SqliteLog.open(path);
  await log.createTopics([
    { name: "meander.events", partitions: 2, cleanup: "delete" },
    { name: "meander.state", partitions: 1, cleanup: "compact" },
  ]);
  await append(log, records);
  return log;
}

async function append(log: SqliteLog, records: number): Promise<void> {
  const value = new Uint8Array(500).fill(7);
  await log.append(Array.from({ length: records }, (_, n) => ({
    topic: n % 4 === 0 ? "meander.state" : "meander.events",
    key: `u${n % 90}`,
    value,
    time: n,
  })));
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("backUp() refuses a target that exists, a log that does not, and another program's file", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await using _log = await filled(at("log.sqlite"));
  await Deno.mkdir(at("there"));
  await assert.rejects(
    backUpTo(at("log.sqlite"), at("there")),
    /Cannot write a backup to .*there: it exists/,
  );
  await assert.rejects(backUpTo(at("none.sqlite"), at("b")), Deno.errors.NotFound);
  const other = new DatabaseSync(at("other.sqlite"));
  other.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  other.close();
  await assert.rejects(backUpTo(at("other.sqlite"), at("b")), /another program's SQLite file/);
  await Deno.writeTextFile(at("text.sqlite"), "not a database".repeat(1000));
  await assert.rejects(backUpTo(at("text.sqlite"), at("b")), /Cannot use .*text\.sqlite as a log/);
  const left = (await namesIn(folder.path)).filter((name) => /^b|\.part/.test(name));
  assert.deepEqual(left, [], "nothing is left of an attempt");
});

Deno.test("backUp() replaces what a killed attempt has left, and nothing else", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await using _log = await filled(at("log.sqlite"));
  await Deno.mkdir(at("b.part"));
  await Deno.writeTextFile(at("b.part/precious"), "mine");
  await assert.rejects(
    backUpTo(at("log.sqlite"), at("b")),
    /b\.part: it exists and is not an unfinished backup/,
  );
  assert.deepEqual(await namesIn(at("b.part")), ["precious"]);
  await Deno.remove(at("b.part"), { recursive: true });
  await Deno.mkdir(at("b.part"));
  await Deno.writeTextFile(at("b.part/unfinished"), "");
  await Deno.writeTextFile(at("b.part/log.sqlite"), "half of it");
  {
    using busy = await Deno.open(at("b.part/unfinished"), { write: true });
    await busy.lock(true);
    await assert.rejects(backUpTo(at("log.sqlite"), at("b")), /another process is writing it/);
    assert.deepEqual(await namesIn(at("b.part")), ["log.sqlite", "unfinished"]);
  }
  await backUpTo(at("log.sqlite"), at("b"));
  assert.deepEqual(await namesIn(at("b")), ["log.sqlite", "log.sqlite-end", MANIFEST]);
  await Deno.rename(at("b"), at("b.part")); // killed just before it was renamed
  await backUpTo(at("log.sqlite"), at("b"));
  await Deno.mkdir(at("b2.part")); // killed just after it was made
  await backUpTo(at("log.sqlite"), at("b2"));
});

Deno.test("restore() refuses a backup that is damaged, missing, foreign or of a newer format, and writes nothing", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  {
    await using _log = await filled(at("log.sqlite"));
    await backUpTo(at("log.sqlite"), at("b"));
  }
  const file = at("b/log.sqlite");
  const [bytes, manifest] = [await Deno.readFile(file), await Deno.readTextFile(at(`b/${MANIFEST}`))];
  const cases: readonly (readonly [RegExp, () => Promise<unknown>])[] = [
    [/log\.sqlite has \d+ bytes instead of \d+/, () => Deno.writeFile(file, bytes.subarray(0, 5000))],
    [
      /log\.sqlite has changed since it was written/,
      () => Deno.writeFile(file, bytes.with(9000, bytes[9000]! ^ 1)),
    ],
    [/log\.sqlite-end is missing/, () => Deno.remove(at("b/log.sqlite-end"))],
    [/log\.sqlite-end as a part of a backup: it is no file/, async () => {
      await Deno.remove(at("b/log.sqlite-end"));
      await Deno.symlink("/dev/zero", at("b/log.sqlite-end"));
    }],
    [/it has no manifest\.json, so it is not a backup/, () => Deno.remove(at(`b/${MANIFEST}`))],
    [/manifest\.json: it is damaged/, () => Deno.writeTextFile(at(`b/${MANIFEST}`), manifest.slice(0, 99))],
    [/it is not the manifest of a backup/, () => Deno.writeTextFile(at(`b/${MANIFEST}`), '{"format":1}')],
    [
      /is not the manifest/,
      () => Deno.writeTextFile(at(`b/${MANIFEST}`), manifest.replace("log.sqlite", "../x")),
    ],
    [
      /its format is 2, and this version reads 1; it was made by 0\.2\.0/,
      () => Deno.writeTextFile(at(`b/${MANIFEST}`), manifest.replace('"format": 1', '"format": 2')),
    ],
    [
      /it is a backup of a kafka log/,
      () => Deno.writeTextFile(at(`b/${MANIFEST}`), manifest.replace('"kind": "sqlite"', '"kind": "kafka"')),
    ],
  ];
  for (const [message, damage] of cases) {
    await damage();
    await assert.rejects(restoreTo(at("b"), at("new.sqlite")), message);
    assert.deepEqual((await namesIn(folder.path)).filter((name) => name.startsWith("new")), []);
    await Deno.writeFile(file, bytes);
    await Deno.writeTextFile(at(`b/${MANIFEST}`), manifest);
    await backUpTo(at("log.sqlite"), at("again"));
    await Deno.remove(at("b"), { recursive: true });
    await Deno.rename(at("again"), at("b"));
  }
});

Deno.test("restore() can verify a backup of any kind of log without restoring it", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  {
    await using _log = await filled(at("log.sqlite"));
    await backUpTo(at("log.sqlite"), at("b"));
  }
  const { topics } = await readManifest(at("b"));
  await Deno.remove(at("b/log.sqlite-end"));
  const names = filesOf(topics);
  for (const name of names) await Deno.copyFile(at("b/log.sqlite"), at(`b/${name}`));
  const made = { kind: "kafka", by: "0.2.0", made: new Date(0).toISOString(), prefix: "meander.", topics };
  await writeManifest(at("b"), made, [...names, "log.sqlite"]);
  const told: number[] = [];
  const verified = await restoreTo(at("b"), at("new.sqlite"), true, (done, all) => told.push(done / all));
  assert.deepEqual([verified.kind, verified.erasedAgain], ["kafka", 0]);
  assert.deepEqual([told, told.at(-1)], [told.toSorted((a, b) => a - b), 1]);
  await assert.rejects(Deno.stat(at("new.sqlite")), Deno.errors.NotFound);
  await Deno.writeFile(at("b/log.sqlite"), new Uint8Array(9));
  await assert.rejects(restoreTo(at("b"), at("new.sqlite"), true), /which is damaged/);
});

Deno.test("restore() refuses a manifest that names paths, unlisted files or impossible topics, before it opens a log", async () => {
  await using folder = await temporaryFolder();
  const topic = (name: string, over = {}) => ({
    name,
    partitions: 1,
    cleanup: "delete" as const,
    id: "0123456789",
    bounds: [{ start: 0, end: 1 }],
    ...over,
  });
  const restored = async (change: (manifest: Record<string, unknown>) => void) => {
    const path = `${folder.path}/meander.events-0.records`;
    await Deno.remove(path).catch(() => {});
    {
      using file = new RecordFile(path);
      file.append([{ topic: "", partition: 0, offset: 0, time: 0, key: null, headers: {}, value: null }]);
      file.flush();
    }
    const base = { kind: "kafka", by: "0.2.0", made: new Date(0).toISOString(), prefix: "meander." };
    const topics = [topic("meander.events")];
    const manifest = await writeManifest(folder.path, { ...base, topics }, ["meander.events-0.records"]);
    const changed = JSON.parse(JSON.stringify(manifest));
    change(changed);
    await Deno.writeTextFile(`${folder.path}/${MANIFEST}`, JSON.stringify(changed));
    const kafka = { ...kindOf("kafka"), open: () => Promise.reject(new Error("it was opened")) };
    await restore({
      from: folder.path,
      kind: kafka,
      options: {},
      prefix: "meander.",
      reads: NEWEST_FORMATS,
      verifyOnly: false,
      now: Date.now,
    });
  };
  await assert.rejects(restored(() => {}), /it was opened/);
  for (const name of ["../../etc/x", "/etc/x", "a\0b", "..", "", "a/b", "x".repeat(250)]) {
    const change = (it: Record<string, unknown>) => it["topics"] = [topic(name)];
    await assert.rejects(
      restored(change),
      /not the manifest of a backup: topics\.0: Cannot create topic/,
      name,
    );
    if (name.length === 250) continue;
    const files = (it: Record<string, unknown>) => it["files"] = [{ name, bytes: 1, sha256: "0".repeat(64) }];
    await assert.rejects(restored(files), /not the manifest of a backup: files\.0\.name/, name);
  }
  const cases: readonly (readonly [RegExp, Record<string, unknown>])[] = [
    [/topics\.0: Cannot create .* with 1000000000 partitions/, {
      topics: [topic("meander.events", { partitions: 1e9 })],
    }],
    [/topics\.0: it has 2 partitions, and the bounds of 1/, {
      topics: [topic("meander.events", { partitions: 2 })],
    }],
    [/topics\.0\.bounds\.0/, { topics: [topic("meander.events", { bounds: [{ start: 2, end: 1 }] })] }],
    [
      /Cannot restore .*: its topics have had 1000000000000000 records, of which its files have \d+ bytes; 100\d+ are/,
      { topics: [topic("meander.events", { bounds: [{ start: 0, end: 1e15 }] })] },
    ],
    [/topics\.0\.id/, { topics: [topic("meander.events", { id: "" })] }],
    [/topics: two have the same name/, { topics: [topic("meander.events"), topic("meander.events")] }],
    [/topics\.0\.name/, { topics: [{ ...topic("meander.events"), name: { toString: 1 } }] }],
    [/meander\.items-0\.records is not among the files/, {
      topics: [topic("meander.events"), topic("meander.items")],
    }],
    [/meander\.events-0\.records is not among the files/, { files: [] }],
    [/the kinds are|a backup of a __proto__ log/, { kind: "__proto__" }],
    [/made/, { made: "yesterday" }],
  ];
  for (const [message, change] of cases) {
    await assert.rejects(restored((it) => void Object.assign(it, change)), message);
  }
  await Deno.remove(`${folder.path}/${MANIFEST}`);
  await Deno.symlink("/dev/zero", `${folder.path}/${MANIFEST}`);
  await assert.rejects(readManifest(folder.path), /it is not the manifest of a backup: it is no file/);
});

Deno.test("restore() refuses to overwrite a log, and to read a file of a newer format", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  {
    await using _log = await filled(at("log.sqlite"));
    await backUpTo(at("log.sqlite"), at("b"));
  }
  await assert.rejects(
    restoreTo(at("b"), at("log.sqlite")),
    /log\.sqlite: it exists already; move it away/,
  );
  await Deno.writeTextFile(at("new.sqlite-wal"), "");
  await assert.rejects(restoreTo(at("b"), at("new.sqlite")), /new\.sqlite-wal: it exists already/);
  await Deno.remove(at("new.sqlite-wal"));
  const db = new DatabaseSync(at("b/log.sqlite"));
  db.exec("PRAGMA user_version = 3");
  db.close();
  const { createHash } = await import("node:crypto");
  const bytes = await Deno.readFile(at("b/log.sqlite"));
  const manifest = JSON.parse(await Deno.readTextFile(at(`b/${MANIFEST}`)));
  manifest.files[0] = {
    name: "log.sqlite",
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
  await Deno.writeTextFile(at(`b/${MANIFEST}`), JSON.stringify(manifest));
  await assert.rejects(
    restoreTo(at("b"), at("new.sqlite")),
    /its format is 3, and this version reads format 2/,
  );
  const { code, stderr } = await meanderCommand("restore", "--from", at("b"), "--log-path", at("x.sqlite"))
    .output();
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /^error: Cannot open .*: its format is 3/);
  await assert.rejects(Deno.stat(at("new.sqlite")), Deno.errors.NotFound);
});

Deno.test("backUp() copies a single moment while records are written, trimmed, erased and vacuumed", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await using log = await filled(at("log.sqlite"), 40_000);
  let begun: () => void = () => {};
  const isBegun = new Promise<void>((resolve) => begun = resolve);
  const ends = [0, 1].map(async (p) => (await log.bounds("meander.events", p)).end);
  const before = await Promise.all(ends);
  const backup = backUpTo(at("log.sqlite"), at("b"), () => begun());
  await isBegun;
  await append(log, 2000);
  await log.trim("meander.events", 0, 500);
  await log.erase("meander.events", 1, [3, 4, 5]);
  await log.scrub();
  new DatabaseSync(at("log.sqlite")).exec("VACUUM");
  await append(log, 2000);
  const { topics } = await backup;
  assert.deepEqual(topics[0]?.bounds, before.map((end) => ({ start: 0, end })), "none of it is in the copy");
  await restoreTo(at("b"), at("new.sqlite"));
  await using restored = await SqliteLog.open(at("new.sqlite"));
  assert.deepEqual(restored.verify(), { records: before[0]! + before[1]! + 45, problems: [] });
  const newest = await Array.fromAsync(readAll(log, "meander.state", 0));
  assert.equal(newest.length, 45);
});

Deno.test("backup and restore report a full disk, and leave neither a backup nor a log behind", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await using _log = await filled(at("log.sqlite"), 40_000);
  await Deno.mkdir(at("small"));
  const script = 'mount -t tmpfs -o size=4m none "$1" || exit 77; shift; "$@"; code=$?; ls "$0"; exit $code';
  const onSmall = async (...command: string[]) => {
    const args = [
      "--map-root-user",
      "--mount",
      "sh",
      "-c",
      script,
      at("small"),
      at("small"),
      Deno.execPath(),
      "run",
      "-q",
      "--no-check",
      "--no-prompt",
      "-P=command",
      "scripts/meander.ts",
      ...command,
    ];
    const ended = await outputOf("unshare", args, Deno.cwd());
    const { code, stdout, stderr } = ended ??
      { code: 77, stdout: new Uint8Array(), stderr: new Uint8Array() };
    const [told = "", left] = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes));
    if (code === 77 || /^unshare: /.test(told)) return null;
    assert.equal(code, 1, told);
    return { told, left };
  };
  const taken = await onSmall("backup", "--log-path", at("log.sqlite"), "--to", at("small/b"));
  if (taken === null) {
    await Deno.stderr.write(
      new TextEncoder().encode("SKIPPED: a full disk, as no small one can be mounted here\n"),
    );
    return;
  }
  assert.match(
    taken.told,
    /error: Cannot write the backup b: the disk of .*small is full \(\d MB free without it\)/,
  );
  assert.equal(taken.left, "");

  await backUpTo(at("log.sqlite"), at("whole"));
  const put = await onSmall("restore", "--from", at("whole"), "--log-path", at("small/log.sqlite"));
  assert.match(
    put!.told,
    /error: Cannot restore .*whole: the disk of .*small is full \(\d MB free without it\)/,
  );
  assert.equal(put!.left, "log.sqlite-lock\n");
});

Deno.test("a killed backup leaves nothing under the backup's name, and the next one succeeds", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await using log = await filled(at("log.sqlite"), 40_000);
  const args = ["backup", "--log-path", at("log.sqlite"), "--to", at("b")];
  const killed = meanderCommand(...args).spawn();
  while (!(await namesIn(folder.path)).includes("b.part")) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  killed.kill("SIGKILL");
  await Promise.all([killed.status, killed.stdout.cancel(), killed.stderr.cancel()]);
  assert.ok(!(await namesIn(folder.path)).includes("b"));
  await append(log, 100);
  const { code, stderr } = await meanderCommand(...args).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  await restoreTo(at("b"), at("new.sqlite"));
  await using restored = await SqliteLog.open(at("new.sqlite"));
  assert.deepEqual(restored.verify().problems, []);
});
