/** What commands may do: kernels check bounds, and a service reaches only what it needs. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { permissionsOf, workerPermissions } from "../../../scripts/run/permissions.ts";
import { taskArguments, taskV8Flags } from "../../service/task_command.ts";

const ROOT = new URL("../../../", import.meta.url);
const MANIFEST = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
const UNCHECKED = "--no-wasm-bounds-checks";

/** A module with a function that reads a number at an address, in a memory of 64 KiB. */
const READ = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 125, 3, 2, 1, 0, 5, 3, 1, 0, 1]
  .concat([7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 32, 0, 42, 2, 0, 11]);

async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
  programArgs: readonly string[] = [],
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "meander-permissions-" });
  await Deno.writeTextFile(`${folder}/program.ts`, program);
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "--no-check",
      "--config",
      fileURLToPath(new URL("deno.json", ROOT)),
      ...args,
    ]
      .concat(`${folder}/program.ts`, programArgs),
    env,
  }).output();
  await Deno.remove(folder, { recursive: true });
  return success ? new TextDecoder().decode(stdout).trim() : `failed: ${new TextDecoder().decode(stderr)}`;
}

Deno.test("deno.json: no task with permissions prompts for more", () => {
  const tasks: [string, { command: string }][] = Object.entries(MANIFEST.tasks);
  const scoped = tasks.filter(([, { command }]) => command.includes(" -P="));
  assert.ok(scoped.length > 5);
  for (const [name, { command }] of scoped) assert.match(command, / run -q --no-prompt /, name);
});

Deno.test("deno.json: only tasks on logs that they fill themselves run kernels without bounds checks", async () => {
  const tasks: [string, { command: string }][] = Object.entries(MANIFEST.tasks);
  const unchecked = tasks.filter(([, { command }]) => command.includes(UNCHECKED)).map(([name]) => name);
  assert.deepEqual(unchecked, ["replay", "bench"]); // on a log that they have filled themselves
  const probe = `
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${READ}]))).exports;
    try {
      console.log(f(65536));
    } catch ({ name }) {
      console.log(name);
    }`;
  assert.equal(await run(probe, await taskV8Flags("run")), "RuntimeError");
});

/** Permissions of the service's thread, for these arguments, in a process that has those of the task. */
const PROBE = `
  import { granted, permissionsOf } from ${JSON.stringify(new URL("scripts/run/permissions.ts", ROOT).href)};
  const [flags, task] = Deno.args.map((text) => JSON.parse(text));
  const permissions = await granted(await permissionsOf(flags));
  const thread = new Worker(task, { type: "module", deno: { permissions } });
  thread.onmessage = ({ data }) => {
    console.log(data);
    Deno.exit();
  };
  thread.postMessage(flags);`;

/** What the thread can do. */
const TASK = `
  import { SqliteLog } from ${JSON.stringify(new URL("streams/log/sqlite/sqlite_log.ts", ROOT).href)};
  import { diskShortage } from ${JSON.stringify(new URL("streams/service/disk_room.ts", ROOT).href)};
  const may = (act) => Promise.try(act).then(() => "yes", ({ name }) => name);
  self.onmessage = async ({ data: { log, logPath, snapshots, config, members } }) => {
    const listener = log === "sqlite" && Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const own = log === "sqlite" ? logPath : snapshots + "/state-0/manifest";
    const answers = {
      run: await may(() => new Deno.Command(Deno.execPath(), { args: ["--version"] }).output()),
      connect: listener && await may(() => Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port })),
      readElsewhere: await may(() => Deno.readTextFile("/etc/hostname")),
      writeElsewhere: await may(() => Deno.writeTextFile(members + "/../x", "")),
      readConfig: await may(() => Deno.readTextFile(config)),
      write: await may(async () => {
        if (log !== "sqlite") {
          await Deno.mkdir(snapshots + "/state-0", { recursive: true });
          return await Deno.writeTextFile(own, "");
        }
        await using opened = await SqliteLog.open(logPath);
        await opened.createTopics([{ name: "t", partitions: 1, cleanup: "delete" }]);
        await opened.append([{ topic: "t", key: "a", value: new Uint8Array(100_000), time: 1 }]);
      }),
      disk: (await diskShortage(own.slice(0, own.lastIndexOf("/")), 2 ** 60)).length,
    };
    listener && listener.close();
    self.postMessage(JSON.stringify(answers));
  };`;

for (const [task, by] of [["run", ""], ["run", "links/"], ["meander", ""]] as const) {
  for (const log of ["sqlite", "kafka"]) {
    Deno.test(`the thread of ${task} on ${log} reaches only what it needs, by ${by || "plain"} paths`, async () => {
      const folder = await Deno.makeTempDir({ prefix: "meander-permissions-" });
      for (const name of ["log", "snapshots", "elsewhere", "links"]) await Deno.mkdir(`${folder}/${name}`);
      for (const name of ["log", "snapshots"]) await Deno.symlink(`../${name}`, `${folder}/links/${name}`);
      const config = `${folder}/${by}config.json`;
      await Deno.writeTextFile(`${folder}/elsewhere/config.json`, "{}");
      await Deno.symlink(`${folder}/elsewhere/config.json`, config);
      const flags = {
        log,
        config,
        members: `${folder}/members`,
        http: { hostname: "127.0.0.1", port: 0 },
        logPath: `${folder}/${by}log/new/log.sqlite`,
        snapshots: `${folder}/${by}snapshots/new`,
      };
      const permissions = (await taskArguments(task)).filter((word) => word.startsWith("-P="));
      const module = `data:application/javascript,${encodeURIComponent(TASK)}`;
      const said = await run(PROBE, permissions, {}, [JSON.stringify(flags), JSON.stringify(module)]);
      await Deno.remove(folder, { recursive: true });
      assert.deepEqual(JSON.parse(said), {
        run: "NotCapable",
        connect: log === "sqlite" ? "NotCapable" : false,
        readElsewhere: "NotCapable",
        writeElsewhere: "NotCapable",
        readConfig: "yes",
        write: "yes",
        disk: 1,
      });
    });
  }
}

Deno.test("permissionsOf() covers certificates, secrets and the target of a link, from flags and configuration", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-permissions-" });
  await Deno.writeTextFile(
    `${folder}/config.json`,
    JSON.stringify({
      kafka: { tls: { caFile: "/tls/ca.pem" }, sasl: { mechanism: "plain", passwordFile: "/secrets/p" } },
    }),
  );
  const flags = {
    prefix: "",
    model: "dien",
    seed: 0,
    snapshotInterval: 30,
    config: `${folder}/config.json`,
    members: "m",
    logPath: `${folder}/link.sqlite`,
  } as const;
  const onKafka = { ...flags, log: "kafka", tlsKeyFile: "/tls/key.pem", snapshots: false } as const;
  const kafka = await permissionsOf(onKafka);
  assert.deepEqual(kafka.write, ["m"]);
  const [, ...read] = kafka.read as string[];
  const isNamed = (path: string) => [flags.config, "m"].includes(path) || /^\/(tls|secrets)/.test(path);
  assert.deepEqual(read.filter(isNamed), [flags.config, "/tls", "/secrets", "m"]);
  assert.equal(kafka.net, "inherit");

  await Deno.mkdir(`${folder}/real`);
  await Deno.writeTextFile(`${folder}/real/log.sqlite`, "");
  await Deno.symlink(`${folder}/real/log.sqlite`, flags.logPath);
  const real = await Deno.realPath(folder);
  const sqlite = await permissionsOf({ ...flags, log: "sqlite", http: { hostname: "::1", port: 80 } });
  assert.deepEqual(sqlite.write, [folder, ...(real === folder ? [] : [real]), `${real}/real`]);
  assert.deepEqual(sqlite.net, ["[::1]:80"]);
  assert.equal((await permissionsOf({ ...flags, log: "sqlite" })).net, false, "no HTTP");
  await Deno.writeTextFile(
    flags.config,
    JSON.stringify({
      kafka: { tls: { caFile: "/tls/ca.pem" } },
      sources: { clicks: { preset: "segment", follow: { topic: "clicks" } } },
    }),
  );
  const follows = await permissionsOf({ ...flags, log: "sqlite" });
  assert.deepEqual([follows.net, follows.write], ["inherit", sqlite.write], "brokers of a source");
  assert.ok((follows.read as string[]).includes("/tls"));
  const registry = { url: "https://registry", tls: { caFile: "/registry/ca.pem" } };
  await Deno.writeTextFile(flags.config, JSON.stringify({ outputs: { format: "avro", registry } }));
  const outputs = await permissionsOf({ ...flags, log: "sqlite" });
  assert.deepEqual([outputs.net, outputs.write], ["inherit", sqlite.write], "a schema registry");
  assert.ok((outputs.read as string[]).includes("/registry"));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("granted() inherits what the process has been granted in part", async () => {
  const program = `
    import { granted } from ${JSON.stringify(new URL("scripts/run/permissions.ts", ROOT).href)};
    console.log(JSON.stringify(await granted({ net: false, read: ["a"], write: ["b"] })));`;
  assert.deepEqual(JSON.parse(await run(program, ["--allow-read", "--allow-write=b,c"])), {
    net: false,
    read: ["a"],
    write: "inherit",
  });
});

Deno.test("workerPermissions() lets the thread of a build read backups, and the code that does so", () => {
  const own = { isShared: false };
  const { read } = workerPermissions(own, { reads: ["backups/may"] }) as Deno.PermissionOptionsObject;
  assert.deepEqual(read, [fileURLToPath(ROOT), "backups/may"]);
  assert.deepEqual(workerPermissions(own), { sys: "inherit", read: false });
});
