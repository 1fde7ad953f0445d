import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { hasGap, positionsOf } from "../../../streams/generations/positions.ts";
import { SqliteLog } from "../../../streams/log/sqlite/sqlite_log.ts";
import { SqliteReader } from "../../../streams/log/sqlite/sqlite_reader.ts";
import { servingGeneration } from "../../../streams/topics/serving.ts";
import { generationTopics, topicNames } from "../../../streams/topics/topics.ts";
import { taskArguments } from "../../service/task_command.ts";
import { syntheticRecords, writeFolder } from "../../sources/synthetic.ts";
import { runScript } from "../command.ts";

const topics = topicNames();
const built = generationTopics(topics, 2);

Deno.test("run: --rebuild resumes after kill -9 halfway, and switches", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-rebuild-" });
  const path = `${folder}/log.sqlite`;
  await writeFolder(syntheticRecords({ views: 500, users: 30 }), `${folder}/shop`);
  const config = (embeddingWidth: number) =>
    Deno.writeTextFile(
      `${folder}/meander.json`,
      JSON.stringify({ batchRows: 16, outcomeWindowMs: 60_000, learner: { embeddingWidth } }),
    );
  await config(4);
  const ingested = await runScript("ingest", "--log-path", path, "--from", `${folder}/shop`);
  assert.equal(ingested.code, 0, ingested.stderr);

  /** Runs the service until it says something and `moment` has come. @returns what it said, and how it ended */
  const run = async (
    flags: readonly string[],
    until: RegExp,
    signal: Deno.Signal,
    moment?: () => Promise<void>,
  ) => {
    await using child = new Deno.Command(Deno.execPath(), {
      args: [
        ...await taskArguments("run"),
        "--log-path",
        path,
        "--config",
        `${folder}/meander.json`,
        "--model",
        "base",
        ...flags,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "", isStopped = false;
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += chunk;
      if (isStopped || !until.test(said)) continue;
      isStopped = true;
      await moment?.();
      child.kill(signal);
    }
    return { said, ...await child.status };
  };

  const first = await run([], /task 0: starts/, "SIGTERM");
  assert.equal(first.code, 0, first.said);
  await config(5);
  const killed = await run(
    ["--rebuild", "--rebuild-share", "0.02"],
    /building generation 2/,
    "SIGKILL",
    async () => {
      await using reader = new SqliteReader(path);
      while (!(await reader.topics()).has(built.statistics)) await delay(5);
      while ((await reader.bounds(built.statistics, 0)).end === 0) await delay(5);
    },
  );
  assert.equal(killed.signal, "SIGKILL", killed.said);
  assert.doesNotMatch(killed.said, /generation 2 serves/);
  {
    await using log = await SqliteLog.open(path);
    const { end } = await log.bounds(topics.events, 0);
    const [next = 0] = (await positionsOf(log, built)).tasks;
    assert.ok(next > 0 && next < end, `${next} of ${end} events`);
    assert.equal(await servingGeneration(log, topics), 1);
  }

  const switched = await run(
    ["--rebuild", "--rebuild-share", "1", "--anyway"],
    /generation 2 serves/,
    "SIGTERM",
  );
  assert.equal(switched.code, 0, switched.said);
  {
    await using log = await SqliteLog.open(path);
    const { end } = await log.bounds(topics.events, 0);
    assert.deepEqual((await positionsOf(log, built)).tasks, [end]);
    assert.equal(await hasGap(log, built), false);
    assert.equal(await servingGeneration(log, topics), 2);
  }
  await Deno.remove(folder, { recursive: true });
});
