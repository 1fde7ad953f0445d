import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { outputOf } from "../deploy/tools.ts";

const SCRIPT = fileURLToPath(new URL("./full_disk.ts", import.meta.url));
const MOUNT = 'mount -t tmpfs -o size=160m none "$0" || exit 77; exec "$@"';

Deno.test("SqliteLog rejects what has no room, goes on once there is some, and loses nothing that it acknowledged", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-full-" });
  const command = [Deno.execPath(), "run", "-q", "-A", "--no-check", SCRIPT, folder];
  const args = ["--map-root-user", "--mount", "sh", "-c", MOUNT, folder, ...command];
  const ended = await outputOf("unshare", args, Deno.cwd());
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  const told = text(ended?.stderr);
  if (ended === undefined || ended.code === 77 || /^unshare: /.test(told)) {
    await Deno.stderr.write(
      new TextEncoder().encode("SKIPPED: a full disk, as no small one can be mounted here\n"),
    );
    return;
  }
  assert.equal(ended.code, 0, told);
  const { acknowledged, found, refusals, warnings, problems } = JSON.parse(text(ended.stdout));
  assert.ok(refusals.full > 50, `${refusals.full}`);
  assert.deepEqual([refusals.others, warnings, problems], [[], [], []]);
  assert.deepEqual(found, acknowledged.slice(100));
  await Deno.remove(folder, { recursive: true });
});
