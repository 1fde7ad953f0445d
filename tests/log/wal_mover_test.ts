import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { MAX_WAL_BYTES, WalMover } from "../../streams/log/sqlite/wal/wal_mover.ts";

/** Runs with the mover of a new database. @param finished how often the log was restarted on this thread */
async function withMover(
  act: (mover: WalMover, finished: () => number) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log.sqlite`;
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
  let finished = 0;
  const mover = new WalMover(path, () => finished++);
  await act(mover, () => finished);
  await mover.close();
  database.close();
  await mover.end();
  await Deno.remove(folder, { recursive: true });
}

Deno.test("WalMover restarts the write-ahead log itself while it cannot hear its thread", async () => {
  await withMover((mover, finished) => {
    const written = 1 << 20;
    // No turn of the event loop in between.
    for (let n = 0; n < 5 * MAX_WAL_BYTES / written; n++) mover.wrote(written, 0);
    assert.ok(finished() >= 3 && finished() <= 5, `${finished()}`);
  });
});

Deno.test("WalMover leaves a single write to its thread, however large", async () => {
  await withMover((mover, finished) => {
    mover.wrote(2 * MAX_WAL_BYTES, 0);
    assert.equal(finished(), 0);
    mover.wrote(2 * MAX_WAL_BYTES, 0);
    assert.equal(finished(), 1, "a second one, while the thread has not reported");
  });
});

/** What this process has locked of a file. */
function locksOn(path: string): string[] {
  const { ino } = Deno.statSync(path);
  const lines = Deno.readTextFileSync("/proc/locks").split("\n");
  const own = lines.filter((line) => line.includes(` ${Deno.pid} `) && line.includes(`:${ino} `))
    .map((line) => line.replace(/^\d+: /, ""));
  return [...new Set(own)]; // a lock is listed twice when locks of others change meanwhile
}

/** Descriptors of a file that this process has open. */
function openOf(path: string): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false; // the one that reads the folder
    }
  }).map(({ name }) => name);
}

Deno.test({
  name: "SqliteLog keeps its locks while its thread moves, until it closes, and releases the file then",
  ignore: Deno.build.os !== "linux", // where /proc lists locks
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/log.sqlite`;
    const close = DatabaseSync.prototype.close;
    const atClose: string[][] = [];
    DatabaseSync.prototype.close = function () {
      atClose.push(locksOn(path));
      close.call(this);
    };
    try {
      for (let round = 0; round < 3; round++) {
        const log = await SqliteLog.open(path);
        await log.createTopics([{ name: "in", partitions: 1, cleanup: "delete" }]);
        const locks = locksOn(path);
        assert.notDeepEqual(locks, []);
        // So many that the thread is asked.
        for (let n = 0; n < 20; n++) {
          await log.append([{ topic: "in", key: "a", value: new Uint8Array(1_000_000), time: 0 }]);
        }
        atClose.length = 0;
        await log[Symbol.asyncDispose]();
        assert.deepEqual(atClose[0], locks);
        assert.deepEqual(openOf(path), []);
      }
    } finally {
      DatabaseSync.prototype.close = close;
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("WalMover goes on without a thread that has failed, and still has it close and end", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/told`;
  let finished = 0;
  const mover = new WalMover(path, () => finished++, new URL("./failing_thread.ts", import.meta.url));
  mover.wrote(17 << 20, 0);
  assert.equal(finished, 0);
  while (finished === 0) {
    await new Promise((resolve) => setTimeout(resolve));
    mover.wrote(1 << 20, 0);
  }
  await mover.close();
  await mover.end();
  assert.equal(await Deno.readTextFile(path), "move\nclose\nend\n");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("WalMover works and closes without a thread that has died", async () => {
  let finished = 0;
  const mover = new WalMover("/nowhere", () => finished++, new URL("./no_such_thread.ts", import.meta.url));
  while (finished === 0) {
    mover.wrote(17 << 20, 0);
    await new Promise((resolve) => setTimeout(resolve));
  }
  await mover.close();
  await mover.end();
});

Deno.test("WalMover leaves the log as it is while there is no room, and throws for any other reason", async () => {
  const full = Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR" });
  let error: Error | undefined = full;
  let finished = 0;
  const mover = new WalMover("/nowhere", () => {
    if (error !== undefined) throw error;
    finished++;
  });
  mover.wrote(MAX_WAL_BYTES, 0);
  error = new Error("database disk image is malformed");
  assert.throws(() => mover.wrote(MAX_WAL_BYTES, 0), /malformed/);
  error = undefined;
  mover.wrote(MAX_WAL_BYTES, 0);
  assert.equal(finished, 1);
  await mover.close();
  await mover.end();
});

Deno.test("WalMover.isShort() is false once so much is written that its thread is asked to move it", async () => {
  await withMover((mover) => {
    assert.ok(mover.isShort());
    mover.wrote(1 << 20, 0);
    assert.ok(mover.isShort(), "a mebibyte is no trouble");
    mover.wrote(10 << 20, 0);
    assert.ok(!mover.isShort(), "the thread is asked");
    assert.ok(!mover.isShort(), "it has not reported yet");
  });
});

Deno.test("WalMover.isShort() becomes true beside a writer that always writes much during a move", async () => {
  await withTurns(async (mover, orders) => {
    for (let turn = 0; turn < 3; turn++) {
      const before = orders();
      mover.wrote(9 << 20, 0);
      for (let seen = before; !mover.isShort();) {
        if (orders() > seen) mover.wrote(9 << 20, 0);
        seen = orders();
        assert.ok(seen - before < 10, "it waits for ever");
        await new Promise((resolve) => setTimeout(resolve));
      }
      assert.ok(orders() > before, "the thread moves first");
    }
  });
});

/** Runs with the mover of a new database. @param orders how many its thread was given */
async function withTurns(act: (mover: WalMover, orders: () => number) => Promise<void>): Promise<void> {
  const { postMessage } = Worker.prototype;
  let orders = 0;
  Worker.prototype.postMessage = function (message: unknown) {
    orders++;
    postMessage.call(this, message);
  };
  try {
    await withMover(async (mover) => await act(mover, () => orders));
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
}
