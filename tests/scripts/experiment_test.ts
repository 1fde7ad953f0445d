import assert from "node:assert/strict";
import { topicNames, topicSpecs } from "../../streams/topics.ts";
import { SqliteLog } from "../../streams/log/sqlite_log.ts";

/** Runs a command and gives what it wrote. */
async function run(script: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `scripts/${script}.ts`, ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("experiment starts, lists, changes, promotes and stops, and says what is wrong", async () => {
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
    run("experiment", command, "--log-path", path, ...args);
  assert.equal((await call("start", file)).out, "e: running; 20 % of layer default, A and B\n");
  const again = await call("start", file);
  assert.deepEqual([again.code, again.err], [1, "error: Cannot start experiment e: it is running already\n"]);
  assert.equal((await call("traffic", "e", "50")).out, "e: running; 50 % of layer default, A and B\n");
  assert.match((await call("status")).out, /cannot say yet: there are no outcomes to compare/);
  assert.match((await call("promote", "e", "B")).out, /^e: promoted: B for everybody/);
  assert.match((await call("stop", "e", "too", "slow")).out, /^e: stopped: too slow/);
  assert.equal((await call("holdout", "2")).out, "holdout: 2 % of all users\n");
  assert.match((await call("list")).out, /^e: stopped.*\nholdout: 2 %/);
  await Deno.writeTextFile(
    file,
    JSON.stringify({ name: "f", variants: [{ name: "A", model: "gpt", colour: 1 }, { name: "B" }] }),
  );
  assert.match((await call("start", file)).err, /as an experiment: variants.0: Unrecognized key: "colour"/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("simulate runs on a SQLite log, and writes its report and its figures", async () => {
  const folder = await Deno.makeTempDir();
  const [report, json] = [`${folder}/report.html`, `${folder}/figures.json`];
  const { code, out, err } = await run(
    "simulate",
    ...["--requests", "80", "--users", "60", "--items", "100", "--model", "base"],
    ...["--log", "sqlite", "--log-path", `${folder}/log.sqlite`, "--report", report, "--json", json],
  );
  assert.equal(code, 0, err);
  assert.match(out, /^last 8 requests\npopularity: click rate .*\nbase: click rate/);
  assert.equal(JSON.parse(await Deno.readTextFile(json)).requests, 80);
  assert.match(await Deno.readTextFile(report), /<h1>base in a closed loop<\/h1>/);
  await Deno.remove(folder, { recursive: true });
});
