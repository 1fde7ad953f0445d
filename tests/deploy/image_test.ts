/** The container holds all that its commands need. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readPage, ROOT } from "../docs/pages.ts";
import { ownPrefix, testBroker } from "../log/kafka_broker.ts";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { until } from "../service/deployment.ts";

const root = fileURLToPath(ROOT);
const containerfile = (await readPage("deploy/container/Containerfile")).replaceAll("\\\n", "");
const broker = await testBroker();

/** The commands of the Containerfile that follow a keyword. */
function commandsOf(word: string): readonly (readonly string[])[] {
  return Array.from(
    containerfile.matchAll(new RegExp(`^${word} (\\[.*\\])$`, "gm")),
    ([, list = ""]) => JSON.parse(list),
  );
}

/** A command of the container, in a folder that stands in for it. */
function commandIn(
  folder: string,
  [, ...args]: readonly string[],
  stdout: "piped" | "null" = "piped",
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: args.map((word) => word.replace("/tmp/only_used.ts", `${root}deploy/container/only_used.ts`)),
    cwd: folder,
    env: { DENO_DIR: `${folder}/.deno`, NO_COLOR: "1", HOME: folder },
    stdin: "null",
    stdout,
    stderr: stdout,
  });
}

async function runIn(folder: string, command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await commandIn(folder, command).output();
  const told = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, told);
  return told;
}

/** Gives a folder the packages of this process's cache: nothing is fetched. */
async function linkPackages(folder: string): Promise<void> {
  const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(info.stdout));
  await Deno.mkdir(folder);
  for (const how of ["-al", "-r"]) { // links stay on one disk
    const { success } = await new Deno.Command("cp", { args: [how, npmCache, folder], stderr: "null" })
      .output();
    if (success) return;
  }
  assert.fail(`cannot copy ${npmCache}`);
}

if (broker !== undefined) {
  Deno.test("the container's files and permissions suffice to feed and run a deployment on Kafka", async () => {
    await using folder = await temporaryFolder();
    const { path } = folder;
    const parts = ["deno.json", "deno.lock", "src", "streams", "scripts"];
    const all = await Array.fromAsync(Deno.readDir(root), ({ name }) => name);
    const modules = all.filter((name) => name.endsWith(".ts"));
    const copied = await new Deno.Command("cp", { args: ["-r", ...parts, ...modules, path], cwd: root })
      .output();
    assert.equal(copied.code, 0);
    await linkPackages(`${path}/.deno`);
    const [leave = [], cache = []] = commandsOf("RUN");
    const { imports } = JSON.parse(await readPage("deno.json"));
    await runIn(path, leave);
    // Packages other than those of the lock file would be requested from the registry.
    const manifest = JSON.parse(await Deno.readTextFile(`${path}/deno.json`));
    await Deno.writeTextFile(`${path}/deno.json`, JSON.stringify({ ...manifest, imports }));
    await runIn(path, cache);
    const [entry = []] = commandsOf("ENTRYPOINT");
    const place = [
      "--log",
      "kafka",
      "--brokers",
      broker.address,
      "--prefix",
      ownPrefix(import.meta.url, "image"),
    ];
    const told = await runIn(path, [
      ...entry,
      "scripts/ingest.ts",
      ...place,
      "--from",
      `${root}fixtures/shop`,
      "--limit",
      "50",
    ]);
    assert.match(told, /50/);
    const http = `127.0.0.1:${await freePort()}`;
    const flags = ["--http", http, "--snapshots", `${path}/snapshots`, "--members", `${path}/members`];
    await using service = commandIn(path, [...entry, "scripts/run.ts", ...place, ...flags], "null").spawn();
    const isReady = () =>
      fetch(`http://${http}/ready`).then(({ ok, body }) => (body?.cancel(), ok), () => false);
    await until(isReady, "it is ready");
    service.kill("SIGTERM");
    assert.equal((await service.status).code, 0);
  });
}
