/** A deployment of each release goes on: a small SQLite log, written by `ingest` and `run` of that release. */

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { agreeOn } from "../../scripts/run/agreement.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { encodeEvent } from "../../src/events/codec.ts";
import { learnerOptions, learningOptions, modelConfig, taskOptions } from "../../streams/config/config.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { ownPosition } from "../../streams/task/inputs/inputs.ts";
import { Service } from "../../streams/service/service.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { answersOn, until, untilCommitted } from "../service/deployment.ts";

const topics = topicNames();
/** What it was run with. */
const CONFIG = { learner: { embeddingWidth: 2 }, models: { base: { widths: [4] } }, batchRows: 16 };

Deno.test("0.2.0: a deployment goes on with its states, catalogue, versions and learner", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/log.sqlite`;
  const packed = await Deno.readFile(new URL("0.2.0/log.sqlite.gz", import.meta.url));
  await Deno.writeFile(path, new Uint8Array(gunzipSync(packed)));
  await using log = await SqliteLog.open(path);
  const before = await answersOn(log);
  assert.ok(before.length > 20, `${before.length} answers`);
  const flags = { model: "base", variants: [], partitions: 2, seed: 0 } as const;
  const { config } = await agreeOn(log, topics, CONFIG, flags);
  const task = taskOptions({ schema: DEFAULT_SCHEMA }, config, "base");
  await using service = await Service.start(log, {
    model: "base",
    modelConfig: modelConfig("base", config),
    task,
    learner: learnerOptions(task, config, 0),
    learning: learningOptions(config),
    commitIntervalMs: 5,
  });
  await until(
    async () => (await service.status()).partitions.filter(({ restoring }) => !restoring).length === 2,
    "both tasks are restored",
  );
  const { version } = await service.status();
  assert.ok(version > 3, `version ${version}`);
  // An existing user, an hour after the last event: earlier lists are settled and learnt.
  const { user, time } = before.reduce((last, one) => one.time > last.time ? one : last);
  for (const [n, request] of ["again", "later"].entries()) {
    const event = { type: "request", user, request, count: 3, time: time + 3_600_000 * (n + 1) } as const;
    await log.append([{ topic: topics.events, key: user, value: encodeEvent(event), time: event.time }]);
    await untilCommitted(log);
  }
  const answers = await answersOn(log);
  assert.equal(answers.length, before.length + 2);
  const answer = answers.find(({ request }) => request === "again");
  assert.ok(
    answer !== undefined && answer.items.length === 3 && answer.stateVersion > 1,
    JSON.stringify(answer),
  );
  assert.ok(answer.version >= version);
  await until(async () => ((await service.status()).learner?.lag ?? 99) < 16, "samples are learnt");
  await service.stop();
  await service.ended;
  for (const partition of [0, 1]) {
    const { end } = await log.bounds(topics.events, partition);
    assert.equal((await ownPosition(log, topics, partition))?.next, end, "nothing is applied twice");
  }
});
