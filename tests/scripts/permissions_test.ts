/** What commands that meet others may do: kernels are checked, and what is not needed is given up. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { taskArguments, taskV8Flags } from "../service/task_command.ts";

const ROOT = new URL("../../", import.meta.url);
const MANIFEST = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
const UNCHECKED = "--no-wasm-bounds-checks";
/** They reach a log that they have filled themselves. */
const OWN_DATA = ["replay", "simulate"];

/** A module with a function that reads a number at an address, in a memory of 64 KiB. */
const READ = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 125, 3, 2, 1, 0, 5, 3, 1, 0, 1]
  .concat([7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 32, 0, 42, 2, 0, 11]);

async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "meander-permissions-" });
  await Deno.writeTextFile(`${folder}/program.ts`, program);
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--config", fileURLToPath(new URL("deno.json", ROOT)), ...args]
      .concat(`${folder}/program.ts`),
    env,
  }).output();
  await Deno.remove(folder, { recursive: true });
  return success ? new TextDecoder().decode(stdout).trim() : `failed: ${new TextDecoder().decode(stderr)}`;
}

Deno.test("tasks that reach others check the bounds of their kernels", async () => {
  const tasks: [string, { command: string }][] = Object.entries(MANIFEST.tasks);
  const unchecked = tasks.filter(([, { command }]) => command.includes(UNCHECKED)).map(([name]) => name);
  assert.ok(unchecked.includes("replay") && !unchecked.includes("run") && !unchecked.includes("meander"));
  for (const name of unchecked.filter((name) => !OWN_DATA.includes(name) && name !== "bench")) {
    assert.doesNotMatch(MANIFEST.tasks[name].command, /--allow-net|-A/, name);
  }
  const probe = `
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${READ}]))).exports;
    try {
      console.log(f(65536));
    } catch ({ name }) {
      console.log(name);
    }`;
  assert.equal(await run(probe, await taskV8Flags("run")), "RuntimeError");
});

Deno.test("giveUp() leaves a log and a socket that are open, and nothing else to reach or to load", async () => {
  const program = `
    import { giveUp } from ${JSON.stringify(new URL("scripts/give_up.ts", ROOT).href)};
    import { SqliteLog } from ${JSON.stringify(new URL("streams/log/sqlite_log.ts", ROOT).href)};
    const folder = await Deno.makeTempDir();
    const log = await SqliteLog.open(folder + "/log.sqlite");
    await log.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log((await giveUp("sqlite")).join());
    const denied = (act) => Promise.try(act).then(() => "done", ({ name }) => name);
    console.log(await denied(() => Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port })));
    const path = ${JSON.stringify(fileURLToPath(new URL("node_modules/x.node", ROOT)))};
    console.log((await Deno.permissions.query({ name: "ffi", path })).state);
    console.log(await log.append([{ topic: "t", key: "a", value: new Uint8Array(100_000), time: 1 }]));
    await log[Symbol.asyncDispose]();
    listener.close();`;
  const permissions = (await taskArguments("run")).filter((word) => word.startsWith("--allow-"));
  const said = await run(program, [...permissions, "--allow-env"]);
  assert.deepEqual(said.split("\n"), ["net", "NotCapable", "prompt", "[ 0 ]"]);
});

for (const log of ["sqlite", "kafka"]) {
  Deno.test(`giveUp() leaves the look at the room on a disk, with the permissions of the task run on ${log}`, async () => {
    const program = `
      import { giveUp } from ${JSON.stringify(new URL("scripts/give_up.ts", ROOT).href)};
      import { diskShortage } from ${JSON.stringify(new URL("streams/service/disk_room.ts", ROOT).href)};
      await giveUp(${JSON.stringify(log)});
      console.log((await diskShortage(".", 2 ** 60)).join());`;
    for (const task of ["run", "meander"]) {
      const permissions = (await taskArguments(task)).filter((word) => word.startsWith("--allow-"));
      assert.match(await run(program, permissions), /^the disk of \. has \d+ MB left/, task);
    }
  });
}
