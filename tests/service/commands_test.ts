import type { FeatureSchema } from "../../src/features/schema.ts";
import assert from "node:assert/strict";
import { unusedIn } from "../../scripts/check/report.ts";
import { freePort } from "../../scripts/kafka/java_process.ts";
import { TASK_KEY } from "../../src/engine/task_codec.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { inspect } from "../../streams/service/inspection.ts";
import { AdministeredLog } from "../log/administered_log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { generationTopics, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { countEvents, sourceOf, syntheticRecords, writeFolder } from "../sources/synthetic.ts";
import { answersOn, OPTIONS, recordsOf, shopEvents, untilCommitted } from "./deployment.ts";
import { taskArguments } from "./task_command.ts";

const topics = topicNames();

const command = async (task: string, ...args: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args: [...await taskArguments(task), ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });

async function run(script: string, ...args: string[]) {
  const { code, stdout, stderr } = await (await command(script, ...args)).output();
  return { code, text: new TextDecoder().decode(stdout), errors: new TextDecoder().decode(stderr) };
}

Deno.test("ingest: exits with 1 when no record of a file is accepted, and says what may be wrong", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-ingest-" });
  const file = `${folder}/notes.jsonl`;
  const log = ["--log", "sqlite", "--log-path", `${folder}/log.sqlite`];
  const ingest = () => run("ingest", ...log, "--from", file);
  await Deno.writeTextFile(file, "these are\nno events\n");
  const refused = await ingest();
  assert.equal(refused.code, 1);
  assert.match(refused.text, /0 events .* 2 rejected/);
  assert.match(refused.errors, /first rejected: .*notes\.jsonl:1 .*\n.*its format is --format meander/);
  assert.equal((await ingest()).code, 1, "there is still nothing in it");
  const seconds = { type: "interaction", user: "ann", item: "tent", action: "view", time: 1_795_918_549 };
  await Deno.writeTextFile(file, `${JSON.stringify(seconds)}\n`);
  assert.match(
    (await run("ingest", ...log, "--from", file, "--name", "seconds")).errors,
    /are times in milliseconds\?/,
  );
  await Deno.writeTextFile(file, "{}\n".repeat(1100));
  const long = (...more: string[]) => run("ingest", ...log, "--from", file, "--name", "long", ...more);
  const hopeless = await long();
  assert.deepEqual([hopeless.code, hopeless.text], [1, ""]);
  assert.match(
    hopeless.errors,
    /its first 1000 records would all be rejected, so nothing .*--keep-going\nfirst rejected: /,
  );
  assert.match((await long("--keep-going")).text, /0 events .* 1100 rejected/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("ingest, run and check: work together, and run exits with 0 on SIGTERM", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-run-" });
  const records = syntheticRecords({ views: 120, users: 15 });
  await writeFolder(records, `${folder}/shop`);
  await Deno.writeTextFile(
    `${folder}/meander.json`,
    JSON.stringify({ batchRows: 16, outcomeWindowMs: 60_000, learner: { embeddingWidth: 4 } }),
  );
  const log = ["--log", "sqlite", "--log-path", `${folder}/log.sqlite`];

  const missing = await run("check", ...log);
  assert.equal(missing.code, 2);
  assert.match(
    missing.errors,
    /Cannot examine .*log\.sqlite: there is no such file; name another with --log-path/,
  );

  const ingest = () => run("ingest", ...log, "--from", `${folder}/shop`, "--partitions", "2");
  const first = await ingest();
  assert.equal(first.code, 0, first.errors);
  assert.match(first.text, new RegExp(`done: ${countEvents(records)} events`));
  const again = await ingest();
  assert.match(again.errors, new RegExp(`resuming after ${records.length} records`));

  await using child = (await command("run", ...log, "--model", "base", "--config", `${folder}/meander.json`))
    .spawn();
  const decoder = new TextDecoder();
  let errors = "", stopped = false;
  for await (const chunk of child.stderr) {
    errors += decoder.decode(chunk);
    if (stopped || (errors.match(/task \d: starts/g) ?? []).length < 2) continue;
    stopped = true;
    child.kill("SIGTERM");
  }
  await child.stdout.cancel();
  assert.equal((await child.status).code, 0, errors);
  assert.match(errors, /stopping on SIGTERM[^]*stopped$/m);

  // The next one does what it had no time for.
  {
    await using open = await SqliteLog.open(`${folder}/log.sqlite`);
    await using _service = await Service.start(open, OPTIONS_OF_RUN);
    await untilCommitted(open);
    const requests = records.flatMap((record) =>
      record.kind === "event" && record.event.type === "request" ? [record.event.request] : []
    );
    assert.deepEqual((await answersOn(open)).map(({ request }) => request).sort(), requests.sort());
  }
  const check = await run("check", ...log);
  assert.equal(check.code, 0, check.text);
  assert.match(
    check.text,
    /base +\d+ +\d+ +\d+\n\nNOTE: \d+ records were rejected, .*truncated-json from .*\n.*\nall is well/,
  );

  const config = `${folder}/wrong.json`;
  await Deno.writeTextFile(config, '{ "learner": {\n  "learningrate": 1 } }');
  const wrong = await run("check", ...log, "--config", config);
  assert.equal(wrong.code, 1, wrong.errors);
  assert.match(
    wrong.text,
    /base +\d+ +\d+ +\d+\n\nNOTE: .*\n.*\nPROBLEM: .*wrong\.json, line 2: learner\.learningrate: /,
  );
  assert.match(wrong.text, /-> did you mean learner\.learningRate\?\nsomething is wrong or missing/);
  await Deno.remove(folder, { recursive: true });
});

/** The schema of the command above. */
const RUN_SCHEMA: FeatureSchema = {
  ...OPTIONS.task.schema,
  userFields: [],
  itemFields: [],
  contextFields: ["hour", "surface"],
  pooled: true,
};
const OPTIONS_OF_RUN = {
  ...OPTIONS,
  task: {
    schema: RUN_SCHEMA,
  },
  learner: {
    schema: RUN_SCHEMA,
    embeddingWidth: 4,
  },
};

Deno.test("run: waits for brokers that are away, says so, and exits with 0 on SIGTERM", async () => {
  await using child = (await command("run", "--log", "kafka", "--brokers", "127.0.0.1:1")).spawn();
  let errors = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    const isNew = !errors.includes("waiting for the log");
    errors += text;
    if (isNew && errors.includes("waiting for the log")) child.kill("SIGTERM");
  }
  await child.stdout.cancel();
  assert.equal((await child.status).code, 0, errors);
  assert.match(errors, /waiting for the log 127\.0\.0\.1:1$/m);
});

Deno.test("run: refuses a role that does not exist", async () => {
  const { code, errors } = await run("run", "--roles", "task,cook");
  assert.equal(code, 1);
  assert.match(errors, /Roles are task, learner/);
});

Deno.test("run: without tasks, refuses to guess which of several generations serves", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-run-" });
  const path = `${folder}/log.sqlite`, second = generationTopics(topics, 2);
  {
    await using log = await SqliteLog.open(path);
    await log.createTopics([...topicSpecs(topics, 1), ...topicSpecs(second, 1)]);
    const record = { topic: second.statistics, key: TASK_KEY, value: new Uint8Array(1), time: 0 };
    await log.append([{ ...record, partition: 0 }]);
  }
  const { code, errors } = await run(
    "run",
    "--roles",
    "http",
    "--http",
    `127.0.0.1:${await freePort()}`,
    "--log",
    "sqlite",
    "--log-path",
    path,
  );
  assert.equal(code, 1);
  assert.match(errors, /Cannot tell which generation serves/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("check: notes which options a deployment without a record lacks, where they would have an effect", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-check-" });
  const path = `${folder}/log.sqlite`, config = `${folder}/meander.json`;
  {
    await using log = await SqliteLog.open(path);
    await log.createTopics(topicSpecs(topics, 1));
    const record = { topic: topics.samples, key: "u", value: new Uint8Array(1), time: 0 };
    await log.append([{ ...record, partition: 0 }]);
  }
  const lacking = async (options: object) => {
    await Deno.writeTextFile(config, JSON.stringify(options));
    const { text } = await run("check", "--json", "--config", config, "--log", "sqlite", "--log-path", path);
    const { notes } = JSON.parse(text) as { readonly notes: readonly { readonly what: string }[] };
    return notes.flatMap(({ what }) => what.match(/^(\S+) is false here/)?.[1] ?? []);
  };
  assert.deepEqual(await lacking({}), ["features.pooled", "retrieval.head"]);
  assert.deepEqual(await lacking({ ranking: "both" }), ["features.pooled"]);
  assert.deepEqual(await lacking({ ranking: "auto", retrieval: { learn: false } }), ["features.pooled"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("run: says how to mend each fault in its configuration, as check does", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-run-" });
  try {
    const config = `${folder}/meander.json`;
    await Deno.writeTextFile(config, '{"retrieval": {"revisit": true},\n"batchRows": 0, "batchRows": 1}');
    const { code, errors } = await run("run", "--config", config, "--log-path", `${folder}/log.sqlite`);
    assert.equal(code, 1);
    assert.match(errors, /^error: Cannot use .*meander\.json as configuration:\n/m);
    assert.match(errors, /line 2: batchRows: it is already in line 2\n +-> remove one of the two/);
    assert.match(errors, /line 1: retrieval\.revisit: .*\n +-> did you mean retrieval\.revisits\?/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Feeder.feed() with a name puts each event on its user's partition, once, beside other sources", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 3));
  const sources = [1, 2].map((seed) => syntheticRecords({ views: 30, users: 9, seed }));
  for (const batch of [7, 1000, 1000]) {
    for (const [s, records] of sources.entries()) {
      await using feeder = await Feeder.open(log, topics, sourceOf(records), { name: `source ${s}`, batch });
      await feeder.feed();
      if (batch === 1000) assert.equal(await feeder.feed(), false);
      if (batch === 1000) assert.equal(feeder.events, countEvents(records));
    }
  }
  let events = 0;
  for (let p = 0; p < 3; p++) {
    for await (const { key } of readAll(log, topics.events, p)) {
      assert.equal(partitionOf(key ?? "", 3), p);
      events++;
    }
  }
  assert.equal(events, sources.reduce((sum, records) => sum + countEvents(records), 0));
  for await (const { headers } of readAll(log, topics.items, 0)) assert.deepEqual(headers, {});
});

Deno.test("inspect() reports what is missing, how far tasks have come, and which version is live", async () => {
  const log = new MemoryLog();
  const [{ what = "" } = {}, ...others] = (await inspect(log)).problems;
  assert.match(what, /^there are no topics yet: meander\.events and all others are missing$/);
  assert.deepEqual(others, []);
  const [first, ...rest] = topicSpecs(topics, 1);
  const partial = new MemoryLog();
  await partial.createTopics([first!]);
  const named = (await inspect(partial)).problems.filter(({ what }) => /^topic \S+ is missing$/.test(what));
  assert.equal(named.length, rest.length);
  await log.createTopics(topicSpecs(topics, 2));
  await log.append(recordsOf(shopEvents(60, 10)));
  const before = await inspect(log);
  assert.deepEqual(before.problems.map(({ what }) => what), [
    "no task has committed partition 0",
    "no task has committed partition 1",
    "no parameters are published",
  ]);
  await using service = await Service.start(log, OPTIONS);
  await untilCommitted(log);
  await service.stop();
  const after = await inspect(log);
  assert.deepEqual(after.problems, []);
  assert.ok(
    after.partitions.every(({ end, committed, lag, eventTime }) =>
      committed === end && lag === 0 && (eventTime ?? 0) > 0
    ),
  );
  const [learner] = after.learners;
  assert.ok(learner?.model === "base" && learner.version > 0 && learner.lag === 0);
  await log.append(recordsOf(shopEvents(20, 10)).map((record) => ({ ...record, time: record.time + 1 })));
  const behind = await inspect(log, { maxLag: 5 });
  assert.match(behind.problems[0]?.what ?? "", /partition \d is \d+ events behind/);
});

Deno.test("inspect() reports partitions added by hand to topics that only meander writes", async () => {
  await using log = new AdministeredLog();
  await log.createTopics(topicSpecs(topics, 2));
  const before = await inspect(log);
  log.grow(topics.samples, 5);
  log.grow(topics.positions, 3);
  const after = await inspect(log);
  assert.deepEqual(unusedIn(after.topics).map(({ what }) => what), [
    `topic ${topics.samples} has 5 partitions, of which 2 are used`,
    `topic ${topics.positions} has 3 partitions, of which 1 are used`,
  ]);
  assert.deepEqual(after.problems, before.problems);
});

Deno.test("check: asks the processes at --url when one of them holds the log", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-check-" });
  const path = `${folder}/log.sqlite`;
  {
    await using _held = await SqliteLog.open(path);
    const partitions = [{ partition: 0, restoring: false, lag: 7, committed: 193, othersLag: 0 }];
    const reasons: string[] = [];
    let sources: object | null = null;
    let rejections = {};
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      ({ url }) =>
        Response.json(
          new URL(url).pathname === "/ready"
            ? { ready: reasons.length === 0, reasons }
            : new URL(url).pathname === "/v1/rejected"
            ? rejections
            : { version: 3, partitions, sources },
        ),
    );
    const url = `http://127.0.0.1:${server.addr.port}`;
    const look = (...args: string[]) => run("check", "--log-path", path, ...args);
    const alone = await look();
    assert.deepEqual([alone.code, /open; stop that process, or query it with --url/.test(alone.errors)], [
      2,
      true,
    ]);
    const asked = await look("--url", url);
    assert.equal(asked.code, 0, asked.text + asked.errors);
    assert.match(
      asked.text,
      /version 3, partitions 0, lag 7\n.*was not examined[^]*all is well in these processes\n$/,
    );
    const late = await look("--url", url, "--max-lag", "6");
    assert.deepEqual([late.code, /PROBLEM: partition 0 is 7 events behind/.test(late.text)], [1, true]);
    const reason = { source: null, from: "meander.events", code: "too-late", newest: { time: 0 } };
    rejections = { isAll: false, offsets: 12, reasons: [{ ...reason, count: 11 }] };
    const rejected = await look("--url", url);
    assert.equal(rejected.code, 1);
    assert.match(
      rejected.text,
      /PROBLEM: 12 records were rejected, beside 200 .* of the newest 11: 11 too-late/,
    );
    assert.match(
      (await look("--url", url, "--known", "rejected=12")).text,
      /NOTE: 12 records [^]*all is well in these processes\n$/,
    );
    rejections = {};
    const elsewhere = await run("check", "--log-path", `${folder}/none.sqlite`, "--url", url);
    assert.equal(elsewhere.code, 0, elsewhere.text + elsewhere.errors);
    assert.match(elsewhere.text, /none\.sqlite was not examined: the file does not exist on this machine\n/);
    sources = { isReading: false, fault: "sources: waits: the registry is away", lags: [] };
    const paused = await look("--url", url);
    assert.equal(paused.code, 1);
    assert.match(
      paused.text,
      /PROBLEM: the process at \S+ takes in no source: sources: waits: the registry is away\n/,
    );
    const behind = { source: "clicks", partition: 0, lag: 3, lagMs: 90_000 };
    sources = { isReading: true, fault: "cannot read clicks/0: the registry is away", lags: [behind] };
    assert.match(
      (await look("--url", url)).text,
      /clicks 3 records, 90 s behind\n[^]*PROBLEM: the process at \S+ takes in only some sources: cannot read clicks\/0/,
    );
    reasons.push("the disk is full");
    const unready = await look("--url", url);
    assert.equal(unready.code, 1);
    assert.match(unready.text, /PROBLEM: the process at \S+ is not ready: the disk is full\n/);
  }
  await Deno.remove(folder, { recursive: true });
});
