import assert from "node:assert/strict";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { runDrill } from "./drill.ts";
import { meander } from "./meander.ts";

Deno.test("backup and restore: a SQLite deployment copied under load and destroyed goes on as if nothing had happened", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log.sqlite`;
  const to = `${folder.path}/backups/monday`;
  const { before, after } = await runDrill({
    prefix: "meander.",
    partitions: 3,
    open: () => SqliteLog.open(path),
    backUp: async () => {
      const { code, stdout, stderr } = await meander("backup", "--log-path", path, "--to", to);
      assert.deepEqual(
        [code, /^done: .* is a checked backup of \d+ topics, \d+ offsets/.test(stdout)],
        [0, true],
        stderr,
      );
    },
    destroy: async () => {
      for (const name of ["", "-end", "-lock"]) await Deno.remove(`${path}${name}`);
    },
    restore: async () => {
      const { code, stderr } = await meander("restore", "--from", to, "--log-path", path);
      assert.equal(code, 0, stderr);
      const other = await meander("restore", "--from", to, "--log-path", `${path}-2`, "--prefix", "shop.");
      assert.equal(other.code, 1);
      assert.match(other.stderr, /Cannot restore .* to --prefix shop\.: .* have --prefix meander\./);
    },
  });
  assert.ok(before >= 500 && after > 100, `the point of the backup is within the load: ${before}, ${after}`);
});
