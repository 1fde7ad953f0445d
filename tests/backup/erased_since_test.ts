import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { checkErasedAgain, traces } from "./erased.ts";

Deno.test("restore --erased erases again who was erased since the backup, and nobody who was before or not at all", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log.sqlite`;
  await checkErasedAgain({
    prefix: "meander.",
    restoredPrefix: "meander.",
    open: () => SqliteLog.open(path),
    flags: () => ["--log-path", path],
    async destroy() {
      for (const name of ["", "-end", "-lock"]) await Deno.remove(`${path}${name}`);
    },
    isErased: async (log, _topics, user) => (await traces(log, user)).length === 0,
  });
});
