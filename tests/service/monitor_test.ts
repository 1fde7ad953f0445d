import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { Rows } from "../../src/samples/rows.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import { Experiments } from "../../src/assignment/assignment.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { decodeExperiment, EXPERIMENT } from "../../streams/experiments/record.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { type ExperimentsView, ExperimentViews } from "../../streams/experiments/views.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Service } from "../../streams/service/service.ts";
import { MonitorJob } from "../../streams/service/jobs/monitor_job.ts";
import { SETTLED_BEFORE } from "../../streams/topics/delivery.ts";
import { monitorGroup, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { list } from "../experiments/lists.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { warnings } from "../log/warnings.ts";
import { OPTIONS, until } from "./deployment.ts";

const topics = topicNames();
const PARTITIONS = 2;
const HOUR = 3_600_000;
/** A signal with which steps do not wait for more records. */
const HURRIED = AbortSignal.abort();
const JOB = { now: () => 0, checkpointRecords: 32 };

const registryOf = (log: Log) => new ExperimentRegistry(log, topics, { models: [], now: () => 0 });

/**
 * Two experiments on returning users: one that does harm, one that interleaves. Some users never return, some answers
 * are there twice, outcomes come late, and some users are forgotten.
 */
async function deployment({ users = 400, pages = 3 } = {}): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  const changes = registryOf(log);
  const policy = { name: "epsilon", epsilon: 0.1 } as const;
  await changes.start({
    name: "harm",
    layer: "a",
    traffic: 0.8,
    variants: [{ name: "A" }, { name: "B", policy }],
    guardRails: [{ metric: "clicksPerList", tolerance: 0.05 }],
    stopRule: { minUsers: 25, maxUsers: 1000 },
    overrides: { u7: "B" },
  });
  await changes.start({
    name: "draft",
    layer: "b",
    mode: "interleave",
    variants: [{ name: "A" }, { name: "B", maxCandidates: 5 }],
  });
  const experiments = new Experiments((await changes.records()).values());
  await log.append(recordsOf(experiments, users, pages));
  return log;
}

const made = new Map<string, NewRecord[]>();

/** Answers and samples in the order of their times. */
function recordsOf(experiments: Experiments, users: number, pages: number): NewRecord[] {
  const key = `${users} ${pages} ${JSON.stringify([...experiments.records.values()])}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const random = createRandom(5);
  const records: NewRecord[] = [];
  for (let page = 0; page < pages; page++) {
    for (let u = 0; u < users; u++) {
      const [user, partition] = [`u${u}`, u % PARTITIONS];
      const time = 10 * HOUR * (page + 1) + u * 60_000;
      // The first page is from before either of them.
      const exposures = page === 0 ? [] : experiments.assign(user).exposures;
      const record = { partition, key: user, time };
      const answer = { request: `${user}-${page}`, user, time, items: [{}], exposures, tookMicros: 900 + u };
      const value = new TextEncoder().encode(JSON.stringify(answer));
      const input = { input: `${partition}/${page * users + u}/0` };
      const answered = { ...record, topic: topics.recommendations, value, headers: input };
      records.push(answered);
      if (u % 50 === 1) records.push(answered); // sent again
      if (u % 29 === 3) continue; // never comes back
      const rate = exposures.some(({ variant }) => variant === "B") ? 0.1 : 0.4;
      const sample = list(user, Array.from({ length: 10 }).filter(() => random() < rate).length, { time });
      const rows = sample.rows.map((row, at) => at % 3 === 2 ? row : { ...row, team: (at % 2) as 0 | 1 });
      const final = { ...sample, rows: Rows.of(rows), ...(exposures.length === 0 ? {} : { exposures }) };
      const headers = { [SETTLED_BEFORE]: `${time + 1}` };
      if (u % 7 === 0) {
        const early = encodeSample({ ...final, purpose: "learn" });
        records.push({ ...record, topic: topics.samples, value: early });
      }
      records.push({
        ...record,
        topic: topics.samples,
        value: encodeSample(final),
        time: time + 1800_000,
        headers,
      });
      if (u % 97 === 5) {
        records.push({ ...record, topic: topics.samples, value: null, time: time + 1800_000 });
      }
    }
  }
  records.sort((a, b) => a.time - b.time);
  made.set(key, records);
  return records;
}

/**
 * A log that counts commits of the monitor, and writers for changes of experiments.
 *
 * @param fences how many changes of experiments lose to another process at the same moment
 */
function watched(log: Log, fences = 0) {
  const seen = { open: 0, commits: 0, changes: 0 };
  const writer: Log["writer"] = async (id, follows) => {
    const writer = await log.writer(id, follows);
    if (id !== monitorGroup(topics)) {
      seen.changes++;
      if (fences-- > 0) await log.writer(id);
      return writer;
    }
    seen.open++;
    return {
      id,
      commit: (commit) => {
        seen.commits++;
        return writer.commit(commit);
      },
      [Symbol.asyncDispose]: async () => {
        seen.open--;
        await writer[Symbol.asyncDispose]();
      },
    };
  };
  const get = (inner: Log, name: keyof Log) => {
    if (name === "writer") return writer;
    return typeof inner[name] === "function" ? inner[name].bind(inner) : inner[name];
  };
  return { log: new Proxy(log, { get }), seen };
}

/** Runs a job until everything is read, judged and written down. */
async function work(log: Log, options = JOB): Promise<ExperimentsView> {
  await using job = await MonitorJob.open(log, topics, options);
  do {
    await job.step(HURRIED);
  } while ((await job.status()).lag > 0);
  await job.finish();
  await job.step(HURRIED);
  return await new ExperimentViews(log, topics, () => 0, () => job.monitor).views();
}

/** The figures that are written down. */
async function writtenOn(log: Log): Promise<Record<string, string>> {
  const written: Record<string, string> = {};
  for await (const { key, value } of readAll(log, topics.figures, 0)) {
    if (value === null) delete written[key!];
    else written[key!] = value.toHex();
  }
  return Object.fromEntries(Object.entries(written).sort());
}

/** The changes of experiments on a partition of the events. */
async function changesOn(log: Log, partition: number): Promise<string[]> {
  const changes: string[] = [];
  for await (const { value, headers } of readAll(log, topics.events, partition)) {
    if (headers[EXPERIMENT] !== undefined) changes.push(JSON.stringify(decodeExperiment(value!)));
  }
  return changes;
}

Deno.test("MonitorJob stops an experiment that breaks a guard rail, once, with the figures of one read at once", async () => {
  const { log, seen } = watched(await deployment());
  let looks = 0;
  let view = { experiments: [], holdout: 0 } as ExperimentsView;
  const said = await warnings(async () => {
    view = await work(log, { now: () => 100 * looks++, checkpointRecords: 320 });
  });
  assert.deepEqual([seen.open, seen.changes], [0, 1]);
  assert.ok(seen.commits > 2 && seen.commits < 12, `${seen.commits} commits for some 2,400 records`);
  assert.equal(said.length, 1);
  assert.match(said[0]!, /^experiment harm is stopped: stop: B makes clicksPerList worse/);
  const harm = view.experiments.find(({ name }) => name === "harm")!;
  assert.equal(harm.status, "stopped");
  assert.match(harm.reason!, /^stop: B makes clicksPerList worse: −/);
  assert.ok(view.experiments.find(({ name }) => name === "draft")!.status === "running");
  for (let p = 0; p < PARTITIONS; p++) {
    const stops = (await changesOn(log, p)).filter((change) => change.includes('"status":"stopped"'));
    assert.equal(stops.length, 1);
  }
  const batch = await ExperimentMonitor.open(await withoutFigures(log), topics, registryOf(log));
  assert.ok(await batch.update() > 2000);
  assert.deepEqual(await new ExperimentViews(log, topics, () => 0, () => batch).views(), view);
  assert.deepEqual(await work(log), view, "there is nothing more to do");
});

Deno.test("MonitorJob recovers from a crash at any operation as if there had been none", async () => {
  const options = { users: 120, pages: 3 };
  const whole = await deployment(options);
  const view = await work(whole);
  const written = await writtenOn(whole);
  const changes = await changesOn(whole, 1);
  assert.equal(changes.length, 3, "one is stopped");
  const counting = new CrashingLog(await deployment(options));
  await work(counting);
  assert.ok(counting.moments.length > 20);
  for (const at of counting.moments) {
    const log = await deployment(options);
    await assert.rejects(work(new CrashingLog(log, at)), Crash);
    assert.deepEqual(await work(log), view, `crash at ${at}`);
    assert.deepEqual(await writtenOn(log), written, `crash at ${at}`);
    for (let p = 0; p < PARTITIONS; p++) assert.deepEqual(await changesOn(log, p), changes);
  }
});

Deno.test("MonitorJob warns once of an experiment whose split is invalid", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  await registryOf(log).start({ name: "lost", variants: [{ name: "A" }, { name: "B", maxCandidates: 5 }] });
  const experiments = new Experiments((await registryOf(log).records()).values());
  const isLost = ({ topic, key }: NewRecord) =>
    topic === topics.samples && experiments.assign(key!).exposures[0]!.variant === "B";
  await log.append(recordsOf(experiments, 200, 3).filter((record) => !isLost(record)));
  const said = await warnings(() => work(log));
  assert.equal(said.length, 1);
  assert.match(said[0]!, /^experiment lost can no longer give a result: invalid: users/);
});

Deno.test("MonitorJob has the same figures however much it reads and writes at a time", async () => {
  const figures = async (checkpointRecords: number) => {
    const log = await deployment({ users: 100 });
    const { experiments } = await work(log, { now: () => 0, checkpointRecords });
    return experiments.map(({ status: _, reason: __, ...rest }) => rest);
  };
  const all = await figures(1e9);
  for (const records of [1, 7, 100, 1000]) assert.deepEqual(await figures(records), all);
});

Deno.test("MonitorJob judges what is written down, not what viewers have made it read", async () => {
  const log = await deployment();
  const isStopped = async () => (await changesOn(log, 0)).some((change) => change.includes('"stopped"'));
  const JUST_WRITES = { now: () => 0, checkpointRecords: 1e9 };
  await using job = await MonitorJob.open(log, topics, JUST_WRITES);
  const views = new ExperimentViews(log, topics, () => 0, () => job.monitor);
  const { experiments } = await views.views();
  assert.notEqual(experiments.find(({ name }) => name === "harm")!.harm, null);
  await job.step(HURRIED);
  assert.ok(!await isStopped(), "nothing of it is written down");
  await job.finish();
  await job.step(HURRIED);
  assert.ok(await isStopped());
});

Deno.test("MonitorJob stops an experiment for the figures as they were written down, though more was read since", async () => {
  const reasonOf = async (pause: (job: MonitorJob, log: Log) => Promise<unknown>) => {
    const log = await deployment();
    const records = (await readAllOf(log, topics.samples)).slice(-40);
    await using job = await MonitorJob.open(log, topics, JOB);
    await job.monitor.update();
    await job.finish();
    await log.append(records); // the same users come again
    await pause(job, log);
    await job.step(HURRIED);
    const stop = (await changesOn(log, 0)).map((change) => JSON.parse(change)).find(({ status }) =>
      status === "stopped"
    );
    return stop?.reason;
  };
  const reason = await reasonOf(async () => {});
  assert.match(reason, /makes clicksPerList worse/);
  assert.equal(await reasonOf((job) => job.monitor.update()), reason);
});

Deno.test("MonitorJob stops an experiment that changes while it is judged, by its newest record", async () => {
  const log = await deployment();
  const { log: contested, seen } = watched(log, 2);
  await using job = await MonitorJob.open(contested, topics, JOB);
  await job.monitor.update();
  await job.finish();
  assert.equal((await job.status()).running, 2);
  await registryOf(log).traffic("harm", 0.5);
  for (let step = 0; step < 4; step++) await job.step(HURRIED); // two lose against another process
  assert.equal((await job.status()).running, 1);
  const { commits } = seen;
  const stop = new AbortController();
  const idle = job.step(stop.signal).then(() => assert.ok(stop.signal.aborted, "it waits"));
  for (let turns = 0; turns < 50; turns++) await turn();
  stop.abort();
  await idle;
  assert.equal(seen.commits, commits, "nothing is new");
  const changes = (await changesOn(log, 0)).map((change) => JSON.parse(change));
  const of = changes.filter(({ name }) => name === "harm");
  assert.deepEqual(of.map(({ status, traffic }) => [status, traffic]), [
    ["running", 0.8],
    ["running", 0.5],
    ["stopped", 0.5],
  ]);
});

/** The changes of the experiment that does harm, in order. */
async function storyOf(log: Log): Promise<string[]> {
  const changes = (await changesOn(log, 0)).map((change) => JSON.parse(change));
  return changes.filter(({ name }) => name === "harm").map(({ status, traffic }) => `${status} ${traffic}`);
}

Deno.test("MonitorJob stops an experiment that is restarted unchanged, once each time", async () => {
  const log = await deployment();
  await work(log);
  assert.deepEqual(await storyOf(log), ["running 0.8", "stopped 0.8"]);
  const changes = registryOf(log);
  const again = async () => {
    const { revision: _, status: __, reason: ___, ...draft } = (await changes.records()).get(
      "harm",
    ) as Experiment;
    await changes.start(draft);
  };
  await again();
  await work(log);
  const twice = ["running 0.8", "stopped 0.8", "running 0.8", "stopped 0.8"];
  assert.deepEqual(await storyOf(log), twice);
  await work(log);
  assert.deepEqual(await storyOf(log), twice);
  await using job = await MonitorJob.open(log, topics, { now: () => 0, checkpointMs: 0 });
  await again(); // while it works, and no user comes
  for (let step = 0; step < 3; step++) await job.step(HURRIED);
  assert.deepEqual(await storyOf(log), [...twice, "running 0.8", "stopped 0.8"]);
  assert.equal((await job.status()).stopped, 1);
});

Deno.test("MonitorJob leaves a promoted or rolled-back variant alone, whatever its figures say", async () => {
  const log = await deployment();
  const changes = registryOf(log);
  await changes.promote("harm", "B"); // before the monitor has seen anything
  const promoted = (await work(log)).experiments.find(({ name }) => name === "harm")!;
  assert.deepEqual([promoted.status, promoted.winner], ["promoted", "B"]);
  assert.match(promoted.harm!, /B makes clicksPerList worse/, "as all can see");
  await changes.rollBack("harm", "clicks are fewer");
  const back = (await work(log)).experiments.find(({ name }) => name === "harm")!;
  assert.deepEqual([back.status, back.reason], ["stopped", "B is rolled back: clicks are fewer"]);
  assert.deepEqual(await storyOf(log), ["running 0.8", "promoted 0.8", "stopped 0.8"]);
});

Deno.test("MonitorJob starts a new phase of experiments on the same options when a promotion is rolled back", async () => {
  const log = await deployment();
  const changes = registryOf(log);
  const { layer, variants } = (await changes.records()).get("harm") as Experiment;
  await changes.promote("harm", "B");
  await changes.start({ name: "later", layer, variants, traffic: 0.1 });
  const of = async (name: string) => (await changes.records()).get(name) as Experiment;
  await changes.rollBack("harm", "clicks are fewer");
  const [later, other] = [await of("later"), await of("draft")];
  assert.deepEqual([later.status, later.phase, other.phase], ["running", 1, undefined]);
  const view = (await work(log)).experiments.find(({ name }) => name === "later")!;
  assert.match(view.reason!, /begins a new phase: the promotion of harm/);
  const told = await Array.fromAsync(readAll(log, topics.events, 0));
  const names = told.map(({ headers }) => headers[EXPERIMENT]).filter((name) => name !== undefined);
  assert.deepEqual(names.slice(-2), ["harm", "later"], "tasks hear of both");
});

Deno.test("MonitorJob has the same figures whether or not it was away while traffic changed", async () => {
  const figures = async (isThere: boolean) => {
    const log = await deployment({ users: 120 });
    const changes = registryOf(log);
    await changes.stop("harm", "for now");
    if (isThere) await work(log);
    await changes.traffic("draft", 0.6);
    const experiments = new Experiments((await changes.records()).values());
    await log.append(recordsOf(experiments, 240, 4).filter(({ time }) => time > 39 * HOUR));
    const view = await work(log);
    return { view, written: await writtenOn(log), changes: await changesOn(log, 0) };
  };
  const [there, away] = [await figures(true), await figures(false)];
  assert.deepEqual(away, there);
  const draft = there.view.experiments.find(({ name }) => name === "draft")!;
  assert.equal(draft.traffic, 0.6);
});

Deno.test("MonitorJob releases pinned versions that nothing needs any more, once an hour", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, PARTITIONS));
  await log.append([{
    topic: topics.pins,
    partition: 0,
    key: "base@3/0",
    value: new Uint8Array(1),
    time: 0,
  }]);
  let hours = 0;
  await using job = await MonitorJob.open(log, topics, { now: () => hours * HOUR });
  const pins = async () =>
    (await Array.fromAsync(readAll(log, topics.pins, 0))).filter(({ value }) => value !== null);
  const keys = async () => (await pins()).map(({ key }) => key);
  await job.step(HURRIED);
  assert.deepEqual(await keys(), ["base@3/0"]);
  hours++;
  await job.step(HURRIED);
  await job.step(HURRIED); // not again so soon
  assert.deepEqual(await keys(), ["base@3/0", "base@3/over"], "no experiment needs it");
  hours++;
  await job.step(HURRIED);
  assert.deepEqual(await pins(), [], "nor do events");
});

Deno.test("MonitorJob keeps nothing of a forgotten user, but keeps the figures", async () => {
  const log = await deployment({ users: 100 });
  const before = await work(log);
  const keys = async () => Object.keys(await writtenOn(log));
  assert.ok((await keys()).includes("user/u9"));
  await log.append([{ topic: topics.samples, partition: 1, key: "u9", value: null, time: 100 * HOUR }]);
  assert.deepEqual(await work(log), before);
  assert.ok(!(await keys()).includes("user/u9"));
  assert.ok(!JSON.stringify(await writtenOn(log)).includes(new TextEncoder().encode("u9").toHex()));
});

Deno.test("MonitorJob starts from zero when an experiment is started with other variants", async () => {
  const log = await deployment();
  await work(log);
  const changes = registryOf(log);
  await changes.start({
    name: "harm",
    layer: "a",
    variants: [{ name: "A" }, { name: "C", model: "prior" }],
  });
  const { experiments } = await work(log);
  const { users } = experiments.find(({ name }) => name === "harm")!.variants[0]!;
  assert.equal(users, 0);
  assert.deepEqual(await work(log), { experiments, holdout: 0 });
});

Deno.test("Service stops an experiment that breaks a guard rail by itself", async () => {
  const log = await deployment();
  await using service = await Service.start(log, { ...OPTIONS, partitions: PARTITIONS });
  await until(async () => {
    const { monitor } = await service.status();
    return monitor?.stopped === 1 && monitor.lag === 0;
  }, "the experiment is stopped, and all is read");
  assert.deepEqual((await service.status()).monitor, { running: 1, lag: 0, stopped: 1, lost: 0 });
  await service.stop();
  await service.ended;
});

async function readAllOf(log: Log, topic: string): Promise<NewRecord[]> {
  const records: NewRecord[] = [];
  for (let p = 0; p < PARTITIONS; p++) {
    for await (const { offset: _, ...record } of readAll(log, topic, p)) records.push(record);
  }
  return records;
}

/** The same log, as if no figures had been written down. */
async function withoutFigures(log: Log): Promise<Log> {
  const copy = new MemoryLog();
  await copy.createTopics(topicSpecs(topics, PARTITIONS));
  for (const { name, partitions } of topicSpecs(topics, PARTITIONS)) {
    if (name === topics.figures) continue;
    for (let p = 0; p < partitions; p++) {
      for await (const { offset: _, ...record } of readAll(log, name, p)) await copy.append([record]);
    }
  }
  return copy;
}
