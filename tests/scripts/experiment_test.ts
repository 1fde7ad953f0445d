import assert from "node:assert/strict";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { runScript } from "./command.ts";

Deno.test("experiment: starts, lists, changes, promotes and stops, and says what is wrong", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/log.sqlite`;
  {
    await using log = await SqliteLog.open(path);
    await log.createTopics(topicSpecs(topicNames(), 1));
  }
  const file = `${folder}/e.json`;
  const policy = { name: "epsilon", epsilon: 0.1 };
  await Deno.writeTextFile(
    file,
    JSON.stringify({ name: "e", traffic: 0.2, variants: [{ name: "A" }, { name: "B", policy }] }),
  );
  const call = (command: string, ...args: string[]) =>
    runScript("experiment", command, "--log-path", path, ...args);
  assert.equal((await call("status")).stdout, "none\n");
  assert.equal((await call("start", file)).stdout, "e: running; 20 % of layer default, A and B\n");
  const again = await call("start", file);
  assert.deepEqual([again.code, again.stderr], [
    1,
    "error: Cannot start experiment e: it is already running\n",
  ]);
  assert.equal((await call("traffic", "e", "50")).stdout, "e: running; 50 % of layer default, A and B\n");
  assert.match((await call("traffic", "e", "500")).stderr, /Not a percentage from 0 to 100: 500/);
  assert.match((await call("status")).stdout, /cannot say yet: no list is settled yet: /);
  assert.equal(
    (await call("status", "f")).stderr,
    "error: Cannot find experiment f: the experiments are e\n",
  );
  assert.match(
    (await call("promote", "e", "B")).stdout,
    /^e: promoted: B for all users; layer default, A and B$/m,
  );
  assert.equal(
    (await call("stop", "e", "too", "slow")).stdout,
    "e: stopped: B is rolled back: too slow; layer default, A and B\n",
  );
  assert.equal((await call("holdout", "2")).stdout, "holdout: 2 % of all users\n");
  assert.match((await call("list")).stdout, /^e: stopped.*\nholdout: 2 %/);
  assert.match(
    (await call("status", "holdout")).stdout,
    /^holdout: running; all users, holdout and rest\n(?:.*\n)* {2}cannot say yet/,
  );
  await Deno.writeTextFile(
    file,
    JSON.stringify({ name: "f", variants: [{ name: "A", model: "gpt", colour: 1 }, { name: "B" }] }),
  );
  assert.match(
    (await call("start", file)).stderr,
    /as an experiment: variants\[0\]\.colour: there is no such field; there are name, /,
  );
  await Deno.writeTextFile(file, '{\n "name": "g",\n "variants": [{ "name": "A" }],\n "name": "h"\n}');
  assert.match(
    (await call("start", file)).stderr,
    /as an experiment: name \(line 4\): it is already in line 2$/m,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("simulate: runs on a SQLite log, and writes its figures", async () => {
  const folder = await Deno.makeTempDir();
  const json = `${folder}/figures.json`;
  const { code, stdout, stderr } = await runScript(
    "simulate",
    "--requests",
    "80",
    "--users",
    "60",
    "--items",
    "100",
    "--model",
    "base",
    "--log",
    "sqlite",
    "--log-path",
    `${folder}/log.sqlite`,
    "--json",
    json,
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^last 16 requests\npopularity: click rate .*\nbase: click rate/);
  assert.equal(JSON.parse(await Deno.readTextFile(json)).requests, 80);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("simulate: reports what there is when it is interrupted", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      "--no-check",
      "scripts/simulate.ts",
      "--model",
      "base",
      "--items",
      "60",
      "--requests",
      "8000",
      "--users",
      "600",
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const told = child.stderr.pipeThrough(new TextDecoderStream());
  for await (const line of told.values({ preventCancel: true })) if (line.includes("requests, ")) break;
  child.kill("SIGINT");
  const [out, { code }] = await Promise.all([
    new Response(child.stdout).text(),
    child.status,
    told.pipeTo(new WritableStream()),
  ]);
  const [, made] = /^all (\d+) requests$/m.exec(out) ?? [];
  assert.equal(code, 0);
  assert.ok(Number(made) >= 200 && Number(made) < 8000, out);
});
