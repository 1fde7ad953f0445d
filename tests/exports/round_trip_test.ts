/** Another deployment takes over exported records as what happened, not as what it would have done itself. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { CONTENTS } from "../../streams/exports/contents.ts";
import { TopicLines } from "../../streams/exports/reading.ts";
import type { Log } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { hasPins, readExported } from "../../streams/experiments/exported.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { Experiments } from "../../src/assignment/assignment.ts";
import { openSource } from "../../streams/sources/open.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { temporaryFolder } from "../scripts/command.ts";
import { answersOn, OPTIONS, recordsOf, shopEvents, untilCommitted } from "../service/deployment.ts";

const topics = topicNames();

/** Runs a deployment of the log until everything is committed. */
async function serve(log: Log, seed: number): Promise<void> {
  await using service = await Service.start(log, {
    ...OPTIONS,
    task: { ...OPTIONS.task, seed, policy: POLICY },
  });
  await untilCommitted(log);
  await service.stop();
  await service.ended;
}

/** Random, so that a deployment with another seed shows something else. */
const POLICY = { name: "epsilon", epsilon: 0.5 } as const;

/** Each row that is learnt: request, item, label, propensity. */
async function labelsOn(log: Log): Promise<string[]> {
  const labels: string[] = [];
  for await (const { value } of readAll(log, topics.samples, 0)) {
    const { request, rows } = decodeSample(value!);
    for (const row of rows) labels.push([request, row.item, row.label, row.propensity.toFixed(6)].join(" "));
  }
  return labels.sort();
}

Deno.test("export and ingest of recommendations: another deployment learns what was shown and clicked", async () => {
  await using folder = await temporaryFolder();
  await using log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(recordsOf(shopEvents(150, 12)));
  await serve(log, 1);
  const answers = await answersOn(log);
  for (const what of ["events", "items", "recommendations", "samples"] as const) {
    const lines = await Array.fromAsync(await TopicLines.open(log, topics[what], CONTENTS[what], {}));
    await Deno.writeTextFile(`${folder.path}/${what}.jsonl`, lines.map((line) => `${line}\n`).join(""));
  }
  /** A deployment of the folder. */
  const ingested = async () => {
    const other = new MemoryLog();
    await other.createTopics(topicSpecs(topics, 1));
    const events = [];
    for await (const record of openSource("meander", folder.path)) {
      assert.notEqual(record.kind, "rejected");
      if (record.kind === "event") events.push(record.event);
    }
    await other.append(recordsOf([]));
    await other.append(
      events.map((event) => ({
        topic: topics.events,
        key: event.user,
        value: encodeEvent(event),
        time: event.time,
      })),
    );
    await serve(other, 2);
    return other;
  };
  const labels = await labelsOn(log);
  assert.ok(labels.filter((label) => / 1 [\d.]+$/.test(label)).length > 20, "something was clicked");
  await using other = await ingested();
  assert.deepEqual(await labelsOn(other), labels);
  assert.equal((await answersOn(other)).length, 0, "nothing is answered anew");

  await assert.rejects(
    Array.fromAsync(openSource("meander", `${folder.path}/samples.jsonl`)),
    /Cannot ingest .*, which has samples: they have the features of the deployment that made them/,
  );
  await assert.rejects(
    Array.fromAsync(openSource("meander", `${folder.path}/recommendations.jsonl`)),
    /which has recommendations: they complement events/,
  );
  await Deno.mkdir(`${folder.path}/tables`);
  await Deno.writeTextFile(`${folder.path}/tables/events.parquet`, "PAR1");
  for (const table of ["tables", "tables/events.parquet"]) {
    await assert.rejects(
      Array.fromAsync(openSource("meander", `${folder.path}/${table}`)),
      /Cannot ingest .*events\.parquet: Parquet is for other tools; export JSON lines/,
    );
  }
  // One answer is lost, and one was an empty list: neither is invented.
  const [first, second, ...rest] = answers;
  const kept = [{ ...second, items: [] }, ...rest].map((answer) => `${JSON.stringify(answer)}\n`).join("");
  await Deno.writeTextFile(`${folder.path}/recommendations.jsonl`, kept);
  const events = await Array.fromAsync(openSource("meander", folder.path));
  const shown = events.flatMap((record) => record.kind === "event" ? record.event : [])
    .flatMap((event) => event.type === "request" || event.type === "impression" ? [event] : []);
  assert.equal(shown.length, answers.length - 2);
  assert.ok(
    shown.every(({ type, request }) =>
      type === "impression" && request !== first!.request && request !== second!.request
    ),
  );
  await Deno.remove(`${folder.path}/recommendations.jsonl`);
  await using anew = await ingested();
  assert.notDeepEqual(await labelsOn(anew), labels, "if it answers anew, it learns other lists as shown");
});

Deno.test("export and ingest of experiments: users keep their variants, and existing experiments stay", async () => {
  await using folder = await temporaryFolder();
  const registryOn = async (log: Log) => {
    await log.createTopics(topicSpecs(topics, 1));
    return new ExperimentRegistry(log, topics, { models: ["base"], now: () => 1 });
  };
  await using log = new MemoryLog();
  const registry = await registryOn(log);
  const variants = [{ name: "model" }, { name: "rates", model: "prior" }];
  await registry.start({ name: "explore", variants });
  await registry.traffic("explore", 0.5);
  await registry.holdout(0.1);
  const read = CONTENTS.experiments;
  const lines = await Array.fromAsync(await TopicLines.open(log, topics.experiments, read, {}));
  await Deno.writeTextFile(`${folder.path}/experiments.jsonl`, lines.map((line) => `${line}\n`).join(""));
  const exported = await readExported(folder.path);
  const names = ["explore", "holdout"];
  assert.deepEqual(exported.map(({ name }) => name).sort(), names);

  await using other = new MemoryLog();
  const adopting = await registryOn(other);
  assert.deepEqual((await adopting.adopt(exported)).sort(), names);
  assert.deepEqual(await adopting.adopt(exported), [], "once");
  const [before, after] = await Promise.all([registry, adopting].map(async (of) => {
    return new Experiments((await of.records()).values());
  }));
  for (let n = 0; n < 50; n++) assert.deepEqual(after!.assign(`u${n}`), before!.assign(`u${n}`));
  assert.equal((await other.bounds(topics.events, 0)).end, 2, "tasks are told");
  await using taken = new MemoryLog();
  const own = await (await registryOn(taken)).start({ name: "own", variants });
  assert.deepEqual(await (await registryOn(taken)).adopt(exported), [], "users have one already");
  const [gone, stopped] = (["running", "stopped"] as const).map((status) => {
    return { ...own, name: status, status, variants: [{ name: "model" }, { name: "other", model: "gone" }] };
  });
  await using empty = new MemoryLog();
  assert.deepEqual(
    await (await registryOn(empty)).adopt([gone!, stopped!]),
    ["stopped"],
    "no such model runs",
  );
  const pinned = { ...own, variants: [{ name: "model", version: 3 }] };
  assert.deepEqual([hasPins(own), hasPins(pinned)], [false, true]);
  await Deno.writeTextFile(`${folder.path}/experiments.jsonl`, "{}\n");
  await assert.rejects(readExported(folder.path), /experiments\.jsonl:1 as an experiment/);
});
