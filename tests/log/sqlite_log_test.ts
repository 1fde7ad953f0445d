import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { LogError } from "../../streams/log/log.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readMemory } from "../../streams/log/sqlite/end/end_file.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { Tail } from "../../streams/log/sqlite/tail.ts";
import { stub } from "../stub.ts";
import { logContract } from "../contracts/log_contract.ts";
import { all, hasCode, record, texts } from "../contracts/log_suite.ts";
import { confirmed } from "./confirmed.ts";

const folder = await Deno.makeTempDir({ prefix: "meander-sqlite-log-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const path = () => `${folder}/${crypto.randomUUID()}.db`;

logContract(
  "SqliteLog",
  ({ place, onStep }) => SqliteLog.open(`${folder}/${place}.db`, onStep ? { onStep } : {}),
);

Deno.test("SqliteLog.open() refuses a file that this process has open", async () => {
  const file = path();
  await using log = await SqliteLog.open(file);
  await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
  await assert.rejects(SqliteLog.open(file), (error: LogError) => {
    assert.equal(error.code, "locked");
    assert.ok(error.message.includes(file), error.message);
    return true;
  });
  await log.append([record("t", 0, "still works")]);
});

Deno.test("SqliteLog.scrub() leaves no byte of what was erased, with only the permissions of a service", async () => {
  const file = path();
  const program = `
    import { SqliteLog } from "./streams/log/sqlite/sqlite_log.ts";
    import { readAll } from "./streams/log/reading.ts";
    await using log = await SqliteLog.open(${JSON.stringify(file)});
    const text = new TextEncoder();
    const entry = (topic, key, value) => ({ topic, partition: 0, key, value: text.encode(value), time: 1 });
    const lives = "delete compact".split(" ");
    await log.createTopics(lives.map((cleanup) => ({ name: cleanup, partitions: 1, cleanup })));
    for (const topic of lives) {
      for (let n = 0; n < 400; n++) {
        const length = n % 50 === 0 ? 9000 : 10; // of several pages, or of a part of one
        await log.append([
          entry(topic, n % 2 ? String(n).padStart(5, "0") : n + ".50", "kept".repeat(length)),
          entry(topic, n % 7 ? "7f3a9c51" : "7f3a9c51/" + n, "7f3a9c51".repeat(length)),
        ]);
      }
      const look = async () => (await Array.fromAsync(readAll(log, topic, 0)))
        .map(({ offset, key, value, time }) => [offset, key, new TextDecoder().decode(value), time]);
      const before = await look();
      const gone = (key) => key.startsWith("7f3a9c51");
      await log.erase(topic, 0, before.filter(([, key]) => gone(key)).map(([offset]) => offset));
      let state = "busy"; // while another thread moves what was written
      while (state === "busy") state = await log.scrub();
      const kept = before.filter(([, key]) => !gone(key));
      if (JSON.stringify(await look()) !== JSON.stringify(kept)) throw new Error("others were changed");
      const files = ["", "-wal"].filter((end) => new TextDecoder("latin1")
        .decode(Deno.readFileSync(${JSON.stringify(file)} + end)).includes("7f3a9c51"));
      console.log(state, kept.length, files.length);
    }`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-check", "--allow-read", "--allow-write", "--ext=ts", "-"],
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(program));
  await input.close();
  const { stdout } = await child.output();
  assert.equal(new TextDecoder().decode(stdout), "clean 400 0\nclean 400 0\n");
});

Deno.test("SqliteLog.open() refuses a file that another process has open, until that is killed", async () => {
  const file = path();
  const writer = spawnWriter(file, "process");
  await writer.acknowledged(1);
  await assert.rejects(SqliteLog.open(file), hasCode("locked"));
  await writer.kill();
  await using log = await SqliteLog.open(file);
  assert.ok((await log.topics()).has("out"));
});

for (const durability of ["process", "power"] as const) {
  Deno.test(`SqliteLog.commit() loses or halves nothing at kill -9 with durability ${durability}`, async () => {
    for (const commits of [1, 40, 150]) {
      const file = path();
      const writer = spawnWriter(file, durability);
      await writer.acknowledged(commits);
      const acknowledged = await writer.kill();
      assert.ok(acknowledged >= commits);
      const found = await consistentCommits(file);
      // The commit after the last acknowledged one may have been done when the process was killed.
      assert.ok(found >= acknowledged, `${found} found, ${acknowledged} acknowledged`);
    }
  });
}

Deno.test("SqliteLog.commit() is whole or absent when the process kills itself at any step", async () => {
  const found: number[] = [];
  for (let step = 0; step < 7; step++) {
    const file = path();
    const writer = spawnWriter(file, "process", step);
    assert.equal(await writer.finished(), 3);
    found.push(await consistentCommits(file));
  }
  // begin, four records, commit; then committed.
  assert.deepEqual(found, [3, 3, 3, 3, 3, 3, 4]);
});

Deno.test("SqliteLog.open() refuses files that are not its own, and leaves them as they are", async () => {
  const foreign = path();
  const other = new DatabaseSync(foreign);
  other.exec("CREATE TABLE precious (x); INSERT INTO precious VALUES (1)");
  other.close();
  const text = path();
  await Deno.writeTextFile(text, "not a database, only a text that is long enough ".repeat(100));
  for (const file of [foreign, text]) {
    const before = await Deno.readFile(file);
    await assert.rejects(SqliteLog.open(file), (error: LogError) => {
      assert.equal(error.code, "corrupt");
      assert.ok(error.message.includes(file), error.message);
      return true;
    });
    assert.deepEqual(await Deno.readFile(file), before);
  }
});

for (
  const [sql, message] of [
    ["PRAGMA user_version = 7", /format is 7, and this version reads format 2/],
    ["PRAGMA user_version = 1", /format is 1, and this version reads format 2/],
    ["INSERT INTO unsummed VALUES ('t', 0, 5)", /has records of format 1, and this/],
  ] as const
) {
  Deno.test(`SqliteLog.open() refuses a file of another format: ${sql}`, async () => {
    const file = path();
    await (await SqliteLog.open(file))[Symbol.asyncDispose]();
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
    await assert.rejects(SqliteLog.open(file), { code: "corrupt", message });
  });
}

Deno.test("SqliteLog.read() reports a damaged file as corrupt", async () => {
  const file = path();
  {
    await using log = await SqliteLog.open(file);
    await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
    await log.append(Array.from({ length: 2000 }, (_, i) => record("t", 0, `${i}`.repeat(50))));
  }
  const bytes = await Deno.readFile(file);
  bytes.fill(0xa5, bytes.length / 2);
  await Deno.writeFile(file, bytes);
  await assert.rejects(async () => {
    await using log = await SqliteLog.open(file);
    await all(log, "t", 0);
  }, hasCode("corrupt"));
});

Deno.test("SqliteLog.open() creates the folder, and names what it cannot open", async () => {
  const file = `${folder}/deep/er/log.db`;
  await (await SqliteLog.open(file))[Symbol.asyncDispose]();
  assert.ok((await Deno.stat(file)).isFile);
  await assert.rejects(SqliteLog.open(folder), (error: Error) => error.message.includes(folder));
  await assert.rejects(SqliteLog.open(path(), { tombstones: 0 }), RangeError);
});

Deno.test("SqliteLog.append() of much has its write-ahead log moved meanwhile, and loses nothing", async () => {
  const file = path();
  const value = new Uint8Array(64 << 10);
  const offsets: number[] = [];
  {
    await using log = await SqliteLog.open(file);
    await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
    const sizes: number[] = [];
    // It grows faster than the disk takes it, then is restarted.
    for (let n = 0; n < 1600 || sizes.at(-1)! > 64 << 20; n++) {
      value.fill(n);
      offsets.push(...await log.append([{ topic: "t", partition: 0, key: null, value, time: 1 }]));
      if (n % 100 === 0) sizes.push((await Deno.stat(`${file}-wal`)).size);
      assert.ok(n < 100_000, `sizes ${sizes}`);
    }
    assert.ok(Math.max(...sizes) > 4 << 20);
  }
  await assert.rejects(Deno.stat(`${file}-wal`), Deno.errors.NotFound);
  await using log = await SqliteLog.open(file);
  let next = 0;
  while (next < offsets.length) {
    const { records } = await log.read("t", 0, next);
    for (const { value } of records) assert.equal(value?.[value.length - 1], next++ & 0xff);
  }
});

Deno.test("SqliteLog.commit() of several writers in one turn is one transaction", async () => {
  const steps: string[] = [];
  await using log = await SqliteLog.open(path(), { onStep: (step) => steps.push(step) });
  await log.createTopics([{ name: "t", partitions: 4, cleanup: "delete" }]);
  const writers = await Promise.all([0, 1, 2, 3].map((p) => log.writer(`t.${p}`)));
  await Promise.all(
    writers.map((writer, p) =>
      writer.commit({
        records: [record("t", p, `${p}`)],
        group: "g",
        offsets: [{ topic: "t", partition: p, offset: p }],
      })
    ),
  );
  assert.deepEqual(steps, ["begin", "record", "record", "record", "record", "commit", "committed"]);
  for (let p = 0; p < 4; p++) {
    assert.deepEqual(texts(await all(log, "t", p)), [`${p}`]);
    assert.equal(await log.committed("g", "t", p), p);
  }
});

Deno.test("SqliteLog.append() that fails uses up no offsets", async () => {
  let failing = false;
  const onStep = (step: string) => {
    if (failing && step === "commit") throw new Error("crash");
  };
  await using log = await SqliteLog.open(path(), { onStep });
  await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
  await log.append([record("t", 0, "a")]);
  failing = true;
  await assert.rejects(log.append([record("t", 0, "b")]), /crash/);
  failing = false;
  // A position above what is stored would be refused when the file is opened again.
  assert.deepEqual(await log.bounds("t", 0), { start: 0, end: 1 });
  assert.deepEqual(await log.append([record("t", 0, "c")]), [1]);
});

/** Checks that the log holds whole commits 0..n-1 in order, and returns n. */
async function consistentCommits(file: string): Promise<number> {
  await using log = await SqliteLog.open(file);
  const n = await log.committed("group", "out", 0) ?? 0;
  const numbers = Array.from({ length: n }, (_, i) => `${i}`);
  assert.deepEqual(texts(await all(log, "out", 1)), numbers);
  assert.deepEqual(texts(await all(log, "out", 0)), numbers.flatMap((i) => [`${i}.0`, `${i}.1`, `${i}.2`]));
  return n;
}

/** Runs sqlite_writer.ts. */
function spawnWriter(file: string, durability: string, killAt?: number) {
  const script = new URL("./sqlite_writer.ts", import.meta.url).pathname;
  const args = ["run", "-q", "--allow-all", "--no-check", script, file, durability];
  const child = new Deno.Command(Deno.execPath(), {
    args: killAt === undefined ? args : [...args, `${killAt}`],
    stdout: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let lines = 0;
  const acknowledged = async (commits: number) => {
    while (lines < commits) {
      const { value, done } = await output.read();
      if (done) break;
      lines += value.split("\n").length - 1;
    }
    return lines;
  };
  const finished = async () => {
    const total = await acknowledged(Infinity);
    await child.status;
    return total;
  };
  return {
    /** Waits for so many acknowledged commits. */
    acknowledged,
    /** Waits for its end and returns the number of acknowledged commits. */
    finished,
    /** Kills it and returns the number of acknowledged commits. */
    kill: () => {
      child.kill("SIGKILL");
      return finished();
    },
  };
}

Deno.test("SqliteLog.read() gives the same from memory as from the file, after any writes, trims and rollbacks", async () => {
  const file = path();
  const random = mulberry32(5);
  let fails = false;
  const onStep = (step: string) => {
    if (fails && step === "commit") throw new Error("crash");
  };
  const limits = () => ({
    maxRecords: 1 + Math.floor(random() * 40),
    maxBytes: Math.floor(random() ** 2 * 400_000),
  });
  const asked: { readonly from: number; readonly maxRecords: number; readonly maxBytes: number }[] = [];
  const given: unknown[] = [];
  {
    await using log = await SqliteLog.open(file, { onStep });
    await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
    for (let n = 0; n < 120; n++) {
      const records = Array.from({ length: 1 + Math.floor(random() * 12) }, (_, i) => ({
        topic: "t",
        key: random() < 0.1 ? null : `k${i}\0`.slice(0, 2 + (i % 2)),
        // Now and then more than is kept in memory.
        value: random() < 0.1
          ? null
          : new Uint8Array(n % 40 === 20 ? 300_000 : Math.floor(random() ** 3 * 40_000)).fill(n),
        time: n,
        ...(random() < 0.5 ? { headers: { n: `${n}` } } : {}),
      }));
      fails = random() < 0.1;
      await log.append(records).catch(() => {});
      for (const { value } of records) value?.fill(255); // the caller may reuse it
    }
    await log.trim("t", 0, 7);
    const { end } = await log.bounds("t", 0);
    for (let n = 0; n < 500; n++) {
      const ask = { from: Math.floor(random() * (end + 1)), ...limits() };
      asked.push(ask);
      given.push(await log.read("t", 0, ask.from, ask));
    }
  }
  await using log = await SqliteLog.open(file);
  for (const [n, ask] of asked.entries()) {
    assert.deepEqual(await log.read("t", 0, ask.from, ask), given[n], JSON.stringify(ask));
  }
});

Deno.test("SqliteLog.append() to a compact topic keeps what MemoryLog does, whatever is rolled back", async () => {
  const random = mulberry32(8);
  let fails = false;
  const onStep = (step: string) => {
    if (fails && step === "commit") throw new Error("crash");
  };
  await using file = await SqliteLog.open(path(), { onStep });
  await using memory = new MemoryLog({ onStep });
  const logs = [file, memory];
  for (const log of logs) await log.createTopics([{ name: "t", partitions: 1, cleanup: "compact" }]);
  for (let n = 0; n < 200; n++) {
    // Up to three statements of rows, with keys that come twice in one of them.
    const records = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, i) => ({
      topic: "t",
      key: `k${Math.floor(random() * 24)}${random() < 0.2 ? "\0" : ""}`,
      value: random() < 0.1 ? null : new Uint8Array(Math.floor(random() ** 3 * 20_000)).fill(i),
      time: n,
      ...(random() < 0.5 ? { headers: { n: `${n}` } } : {}),
    }));
    fails = random() < 0.1;
    const [own, wanted] = await Promise.allSettled(logs.map((log) => log.append(records)));
    assert.deepEqual(own, wanted);
    if (n % 10 === 0) assert.deepEqual(await all(file, "t", 0), await all(memory, "t", 0));
  }
  for (const { key } of await all(memory, "t", 0)) {
    assert.deepEqual(await file.latest("t", 0, key!), await memory.latest("t", 0, key!));
  }
});

Deno.test("SqliteLog.trim() that drops much keeps the write-ahead log short", async () => {
  const file = path();
  {
    await using log = await SqliteLog.open(file);
    await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
    for (let n = 0; n < 200; n++) {
      const value = new Uint8Array(500).fill(n);
      await log.append(
        Array.from({ length: 1000 }, (_, i) => ({ topic: "t", key: `u${i}`, value, time: n })),
      );
    }
  }
  await using log = await SqliteLog.open(file);
  for (let before = 500; before <= 200_000; before += 500) await log.trim("t", 0, before);
  const { size } = await Deno.stat(`${file}-wal`);
  assert.ok(size < 80 << 20, `${size} bytes`);
});

Deno.test("SqliteLog.open() reads the same records from a file that was vacuumed by hand", async () => {
  const file = path();
  const value = new Uint8Array(2000).fill(7);
  const topics = ["old", "all", "keys"];
  const look = async (log: SqliteLog) => ({
    topics: await log.topics(),
    records: await Promise.all(topics.map((topic) => all(log, topic, 0))),
    bounds: await Promise.all(topics.map((topic) => log.bounds(topic, 0))),
    latest: await log.latest("keys", 0, "k3"),
    committed: await log.committed("g", "old", 0),
  });
  let before;
  {
    await using log = await SqliteLog.open(file);
    await log.createTopics(topics.map((name) => ({
      name,
      partitions: 1,
      cleanup: name === "keys" ? "compact" : "delete",
    })));
    for (let n = 0; n < 1000; n++) {
      await log.append(topics.map((topic) => ({ topic, partition: 0, key: `k${n % 7}`, value, time: n })));
    }
    await using writer = await log.writer("w");
    await writer.commit({ records: [], group: "g", offsets: [{ topic: "old", partition: 0, offset: 990 }] });
    await log.trim("old", 0, 990);
    await log.trim("all", 0, 1000);
    before = await look(log);
  }
  const large = (await Deno.stat(file)).size;
  const db = new DatabaseSync(file);
  db.exec("VACUUM");
  db.close();
  const small = (await Deno.stat(file)).size;
  assert.ok(small < large / 10, `${small} of ${large} bytes`);
  await using log = await SqliteLog.open(file);
  assert.deepEqual(await look(log), before);
  assert.deepEqual(await log.append([record("all", 0, "next")]), [1000]);
});

Deno.test("SqliteLog.open() says that the folder must be writable when it is not", async () => {
  await Deno.mkdir(`${folder}/shut.sqlite-lock`); // cannot be opened either, by root too
  await assert.rejects(
    SqliteLog.open(`${folder}/shut.sqlite`),
    /Cannot use the log .*unable to open database file.*; even to read it, this process must be able to write to its folder/,
  );
});
Deno.test("SqliteLog.trim() keeps nothing in memory of what it drops", async () => {
  await using log = await SqliteLog.open(path());
  await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
  await log.append([record("t", 0, "erased"), record("t", 0, "kept")]);
  let cleared = 0;
  using _clear = stub(Tail.prototype, "clear", () => cleared++);
  await log.trim("t", 0, 1);
  assert.equal(cleared, 1);
});
Deno.test("SqliteLog goes on once there is room again to record its end", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-full-" });
  const path = `${folder}/log.sqlite`;
  const topic = (n: number) => ({
    name: `t${n}.`.padEnd(200, "x"),
    partitions: 1,
    cleanup: "delete" as const,
  });
  const append = (log: SqliteLog) => log.append([{ topic: topic(0).name, key: null, value: null, time: 0 }]);
  {
    await using log = await SqliteLog.open(path, { syncMs: 1 });
    await Deno.symlink("/dev/full", `${path}-end.new`);
    // Until their names need a larger file.
    const full = async () => {
      for (let n = 0;; n++) await log.createTopics([topic(n)]);
    };
    await assert.rejects(full(), hasCode("full"));
    await confirmed(path); // what had room before
    for (let again = 0; again < 3; again++) await assert.rejects(append(log), hasCode("full"));
    await Deno.remove(`${path}-end.new`);
    await append(log);
    const memory = readMemory(`${path}-end`);
    assert.match(
      typeof memory === "object" ? memory.acknowledged?.state.describeEnds() ?? "" : memory,
      /^1 of t0/,
    );
  }
  await using log = await SqliteLog.open(path);
  assert.equal((await log.bounds(topic(0).name, 0)).end, 1);
  assert.deepEqual(log.verify().problems, []);
  await Deno.remove(folder, { recursive: true });
});
Deno.test("SqliteLog.open() says which log has no room on its disk, and what to do", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-full-" });
  const path = `${folder}/log.sqlite`;
  await Deno.symlink("/dev/full", `${path}-end.new`);
  await assert.rejects(
    SqliteLog.open(path),
    /Cannot use the log .*log\.sqlite: No space left on device.*; make room on its disk/,
  );
  await Deno.remove(folder, { recursive: true });
});
