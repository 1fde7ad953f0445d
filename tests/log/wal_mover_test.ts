import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
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
  await Deno.remove(folder, { recursive: true });
});
