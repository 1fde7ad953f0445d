import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { MAX_WAL_BYTES, WalMover } from "../../streams/log/wal_mover.ts";

Deno.test("WalMover begins the log anew by itself while nobody lets it hear the thread", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log.sqlite`;
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
  let finished = 0;
  const mover = new WalMover(path, () => finished++);
  const written = 1 << 20;
  // No turn of the event loop in between.
  for (let n = 0; n < 5 * MAX_WAL_BYTES / written; n++) mover.wrote(written, 0);
  assert.ok(finished >= 3 && finished <= 5, `${finished}`);
  await mover.close();
  database.close();
  mover.end();
  await Deno.remove(folder, { recursive: true });
});

/** What this process has locked of a file. */
async function locksOn(path: string): Promise<string[]> {
  const { ino } = await Deno.stat(path);
  const lines = (await Deno.readTextFile("/proc/locks")).split("\n");
  return lines.filter((line) => line.includes(` ${Deno.pid} `) && line.includes(`:${ino} `))
    .map((line) => line.replace(/^\d+: /, ""));
}

Deno.test({
  name: "WalMover leaves the locks of who writes alone until it ends",
  ignore: Deno.build.os !== "linux", // where it is told which locks there are
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/log.sqlite`;
    const database = new DatabaseSync(path);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)");
    const locks = await locksOn(path);
    assert.notDeepEqual(locks, []);
    const finished = Promise.withResolvers<void>();
    const mover = new WalMover(path, finished.resolve);
    // So many that the thread is asked at once, and then again until the log is short.
    const insert = database.prepare("INSERT INTO t VALUES (zeroblob(1000000))");
    for (let n = 0; n < 55; n++) insert.run();
    mover.wrote(55_000_000, 0);
    await finished.promise;
    await mover.close();
    await delay(100);
    assert.deepEqual(await locksOn(path), locks);
    database.close();
    mover.end();
    await Deno.remove(folder, { recursive: true });
  },
});
