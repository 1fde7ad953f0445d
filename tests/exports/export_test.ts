/** Runs the command, on a log that is open elsewhere. */

import assert from "node:assert/strict";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { meanderCommand } from "../backup/meander.ts";
import { startExperiments } from "../chaos/experiments.ts";
import { runScript, temporaryFolder } from "../scripts/command.ts";
import { OPTIONS, recordsOf, shopEvents, until, untilCommitted } from "../service/deployment.ts";

async function run(...args: Parameters<typeof runScript>): Promise<string> {
  const { code, stdout, stderr } = await runScript(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("export, then ingest into an empty deployment, then export gives the same bytes", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  const places = [["--log-path", at("a.sqlite")], ["--log-path", at("b.sqlite")]] as const;
  await run("ingest", "--from", "fixtures/shop", "--partitions", "3", "--limit", "1500", ...places[0]);
  for (const what of ["events", "items"]) {
    await run("copies/export", "--what", what, "--to", at(`first/${what}.jsonl.gz`), ...places[0]);
  }
  await run("ingest", "--from", at("first"), "--partitions", "3", ...places[1]);
  for (const what of ["events", "items"]) {
    const first = await run("copies/export", "--what", what, ...places[0]);
    assert.ok(first.length > 20_000, what);
    assert.equal(await run("copies/export", "--what", what, ...places[1]), first, what);
  }
});

Deno.test("export reads all that a service writes while it serves, and survives a closed pipe", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log.sqlite`;
  await using log = await SqliteLog.open(path);
  await log.createTopics(topicSpecs(topicNames(), 2));
  await startExperiments(log, topicNames(), { model: "base", time: Date.UTC(2025, 0, 1) });
  await log.append(recordsOf(shopEvents(300, 20)));
  await using service = await Service.start(log, { ...OPTIONS, partitions: 2 });
  await untilCommitted(log);
  await until(async () => (await log.bounds("meander.samples", 0)).end > 0, "there are samples");
  for (const what of ["recommendations", "samples", "experiments", "items"]) {
    const lines = (await run("copies/export", "--what", what, "--log-path", path)).trimEnd().split("\n");
    assert.ok(lines.length > (what === "experiments" ? 1 : 20), what);
    for (const line of lines) assert.equal(typeof JSON.parse(line), "object");
  }
  const answers = await run("copies/export", "--what", "recommendations", "--user", "u3", "--log-path", path);
  const users = answers.trimEnd().split("\n").map((line) => JSON.parse(line).user);
  assert.deepEqual(new Set(users), new Set(["u3"]));
  const to = `${folder.path}/events.jsonl.gz`;
  for (const told of [/^done: \d\d+ events added to /m, /^done: 0 events added to /m]) {
    const { code, stderr } = await runScript(
      "copies/export",
      "--what",
      "events",
      "--log-path",
      path,
      "--to",
      to,
      "--append",
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, told);
  }
  const child = meanderCommand("export", "--what", "samples", "--log-path", path).spawn();
  await child.stdout.cancel();
  const [{ code }, told] = await Promise.all([child.status, new Response(child.stderr).text()]);
  assert.deepEqual([code, told], [0, ""]);
  const misfit = await runScript("copies/export", "--what", "items", "--user", "u3", "--log-path", path);
  assert.deepEqual([misfit.code, /Cannot export the items of one user/.test(misfit.stderr)], [1, true]);
  const never = ["--from", "2026-11-29", "--until", "2026-11-28"];
  const nothing = await runScript("copies/export", "--what", "events", ...never, "--log-path", path);
  assert.deepEqual([nothing.code, /--until is not later/.test(nothing.stderr)], [1, true]);
  const absent = await runScript(
    "copies/export",
    "--what",
    "events",
    "--from",
    "2026-02-30",
    "--log-path",
    path,
  );
  assert.deepEqual([absent.code, /Not a time such as/.test(absent.stderr)], [1, true], absent.stderr);
  const missing = await runScript(
    "copies/export",
    "--what",
    "items",
    "--log-path",
    `${folder.path}/none.sqlite`,
  );
  assert.deepEqual(
    [missing.code, /none\.sqlite: there is no such file/.test(missing.stderr)],
    [1, true],
    missing.stderr,
  );
  await service.stop();
  await service.ended;
});
