import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { outputOf } from "../deploy/tools.ts";
import { taskArguments } from "../service/task_command.ts";

const SCRIPT = fileURLToPath(new URL("./full_start.ts", import.meta.url));
const MOUNT = 'mount -t tmpfs -o size=24m none "$0" || exit 77; exec "$@"';

Deno.test("run: waits for room on a full disk, with or without a log on it, then starts", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-full-start-" });
  const run = [...await taskArguments("run"), "--log-path", `${folder}/log.sqlite`, "--model", "base"];
  const command = [Deno.execPath(), "run", "-q", "-A", "--no-check", SCRIPT, folder, ...run];
  const args = ["--map-root-user", "--mount", "sh", "-c", MOUNT, folder, ...command];
  const ended = await outputOf("unshare", args, folder);
  const told = new TextDecoder().decode(ended?.stderr);
  if (ended === undefined || ended.code === 77 || /^unshare: /.test(told)) {
    await Deno.stderr.write(
      new TextEncoder().encode("SKIPPED: a start on a full disk, as no small one can be mounted here\n"),
    );
    return;
  }
  assert.equal(ended.code, 0, told);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(ended.stdout)), [0, 0], told);
  await Deno.remove(folder, { recursive: true });
});
