import assert from "node:assert/strict";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { Rows } from "../../src/samples/rows.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { Experiments } from "../../src/assignment/assignment.ts";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import type { ExperimentRecord } from "../../src/assignment/experiment.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { type ExperimentStatus, Followed } from "../../streams/experiments/followed.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { encodeExperiment } from "../../streams/experiments/record.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { ExperimentViews } from "../../streams/experiments/views.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { INPUT, SETTLED_BEFORE } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { list } from "./lists.ts";

const topics = topicNames();
const HOUR = 3_600_000;

/** A log of users who got answers and clicked at their variant's rate; users of B are also lost at a rate. */
async function deployment(rates: readonly [number, number], lost = 0) {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  await registry.start({
    name: "e",
    variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon: 0.1 } }],
    metric: "clicksPerUser",
    guardRails: [{ metric: "ctr", tolerance: 0.05 }],
    stopRule: { maxUsers: 2000 },
  });
  const experiments = new Experiments((await registry.records()).values());
  const random = createRandom(5);
  for (let u = 0; u < 2000; u++) {
    const [user, time, partition] = [`u${u}`, HOUR + u * 36_000, u % 2];
    const [exposure] = experiments.assign(user).exposures;
    const rate = rates[exposure!.variant === "A" ? 0 : 1];
    const clicks = Array.from({ length: 10 }).filter(() => random() < rate).length;
    const orderedBy = exposure!.variant === "A" ? "model" : u < 500 ? "prior" : "mix";
    const answer = {
      request: `${user}-${time}`,
      user,
      time,
      items: [{}],
      ...exposure,
      orderedBy,
      tookMicros: 1000,
    };
    const value = new TextEncoder().encode(JSON.stringify(answer));
    await log.append([{ topic: topics.recommendations, partition, key: user, value, time }]);
    if (exposure!.variant === "B" && random() < lost) continue;
    const sample = encodeSample(list(user, clicks, { time, exposure: ["e", exposure!.variant] }));
    const headers = { [SETTLED_BEFORE]: `${time + 1}` };
    await log.append([{ topic: topics.samples, partition, key: user, value: sample, time, headers }]);
  }
  const monitor = await ExperimentMonitor.open(log, topics, registry);
  return { log, registry, monitor };
}

Deno.test("ExperimentMonitor counts all partitions once, and reaches a verdict", async () => {
  const { log, monitor } = await deployment([0.1, 0.2]);
  assert.equal(await monitor.update(), 4000);
  assert.equal(await monitor.update(), 0);
  const [status] = monitor.status();
  assert.equal([0, 1].reduce((sum, v) => sum + status!.totals.moments(v).users, 0), 2000);
  assert.match(status!.verdicts[0]!.text, /^B is better: /);
  assert.deepEqual(status!.took.map(({ mean }) => mean), [1, 1]);
  for (const { p50, p99 } of status!.took) assert.ok(Math.abs(p50! - 1) < 0.06 && p50 === p99);
  const { experiments: [seen] } = await new ExperimentViews(log, topics, () => 0).views();
  assert.equal(seen!.harm, null);
});

Deno.test("ExperimentMonitor that is read-only notes nothing to be written", async () => {
  const { log, registry, monitor } = await deployment([0.1, 0.2]);
  const reading = await ExperimentMonitor.open(log, topics, registry, { readOnly: true });
  await monitor.update();
  await reading.update();
  assert.deepEqual(
    reading.status().map(({ verdicts }) => verdicts),
    monitor.status().map(({ verdicts }) => verdicts),
  );
  assert.deepEqual([monitor.isChanged, reading.isChanged], [true, false]);
  assert.throws(() => reading.takeChanges(), /Cannot write figures: this monitor only reads/);
});

Deno.test("ExperimentMonitor restarts the figures of a changed variant, without what users did before", async () => {
  for (const isReopened of [false, true]) {
    const log = new MemoryLog();
    await log.createTopics(topicSpecs(topics, 1));
    const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
    const start = (epsilon: number) =>
      registry.start({
        name: "e",
        metric: "clicksPerUser",
        variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon } }],
      });
    const random = createRandom(5);
    const visit = async (time: number, rates: readonly [number, number], records = registry.records()) => {
      const experiments = new Experiments((await records).values());
      for (let u = 0; u < 1000; u++) {
        const [user, taste] = [`u${u}`, u % 3]; // some click more, always
        const [exposure] = experiments.assign(user).exposures;
        const rate = taste * rates[exposure!.variant === "A" ? 0 : 1];
        const clicks = Array.from({ length: 10 }).filter(() => random() < rate).length;
        const value = encodeSample(
          list(user, clicks, { time, exposure: ["e", exposure!.variant, exposure!.phase ?? 0] }),
        );
        await log.append([{ topic: topics.samples, partition: 0, key: user, value, time }]);
      }
    };
    await start(0.1);
    let monitor = await ExperimentMonitor.open(log, topics, registry);
    await visit(HOUR, [0.1, 0.4]);
    await monitor.update();
    assert.equal(monitor.status()[0]!.verdicts[0]!.word, "better");
    await log.append(monitor.takeChanges());
    const former = await registry.records();
    await registry.stop("e", "B explores too little");
    await start(0.3);
    await visit(HOUR + 1, [0.1, 0.4], Promise.resolve(former)); // lists that were open then
    if (isReopened) monitor = await ExperimentMonitor.open(log, topics, registry);
    await visit(2 * HOUR, [0.2, 0.2]);
    await monitor.update();
    const [{ totals, verdicts: [verdict] }] = monitor.status() as [ExperimentStatus];
    assert.equal(totals.moments(0).users + totals.moments(1).users, 1000);
    assert.equal(verdict!.word, "undecided", verdict!.text);
    assert.equal(verdict!.comparison.effect.explained, 0);
  }
});

Deno.test("Followed.decode() accepts figures of 0.2.0, which lack settings, but not those of other settings", () => {
  const followed = (epsilon: number) => {
    const variants = [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon } as const }];
    return new Followed(
      startExperiment({ name: "e", variants }, { records: new Map(), models: [] }),
      new PrePeriod(),
    );
  };
  const bytes = followed(0.1).encode();
  const { definition } = followed(0.1);
  const figures = bytes.subarray(new ByteWriter().string(definition).toBytes().length);
  const older = new ByteWriter().string(JSON.stringify(JSON.parse(definition).slice(0, -1))).toBytes();
  assert.equal(followed(0.1).decode(Uint8Array.of(...older, ...figures)), true);
  assert.deepEqual([0.1, 0.3].map((epsilon) => followed(epsilon).decode(bytes)), [true, false]);
});

Deno.test("ExperimentMonitor rewrites all figures of format 4", async () => {
  const { log, registry, monitor } = await deployment([0.1, 0.2]);
  await monitor.update();
  await log.append(
    monitor.takeChanges().map((record) => {
      return record.key === "monitor"
        ? { ...record, value: Uint8Array.of(4, ...record.value!.slice(1)) }
        : record;
    }),
  );
  const restored = await ExperimentMonitor.open(log, topics, registry);
  assert.deepEqual(restored.status()[0]!.verdicts, monitor.status()[0]!.verdicts);
  assert.deepEqual(restored.takeChanges().map(({ key }) => key), ["experiment/e", "monitor"]);
});

Deno.test("ExperimentMonitor survives an experiment whose variants share few buckets", async () => {
  const { log, registry, monitor } = await deployment([0.1, 0.2]);
  const record = (await registry.records()).get("e")!;
  const value = encodeExperiment({ ...record, variantSpans: [[[0, 1]], [[1, 2]]] } as ExperimentRecord);
  await log.append([{ topic: topics.experiments, partition: 0, key: "e", value, time: 0 }]);
  await monitor.update();
  assert.equal(monitor.status().length, 1);
});

Deno.test("ExperimentViews lets other work run while a monitor that is far behind catches up", async () => {
  const { log, monitor } = await deployment([0.1, 0.1]);
  let left = 100_000, most = 0, turns = 0;
  monitor.update = (max = Infinity) => {
    most = Math.max(most, max);
    const read = Math.min(left, max);
    left -= read;
    return Promise.resolve(read);
  };
  const timer = setInterval(() => turns++, 0);
  await new ExperimentViews(log, topics, () => 0, () => monitor).views();
  clearInterval(timer);
  assert.equal(left, 0, "all is read");
  assert.ok(most < 1000 && turns > 50, `${most} records at once, others had ${turns} turns`);
});

Deno.test("ExperimentViews has every metric of every variant, for all users and for each segment", async () => {
  const { log } = await deployment([0.1, 0.2]);
  const { experiments: [view], holdout } = await new ExperimentViews(log, topics, () => 0).views();
  assert.equal(holdout, 0);
  assert.deepEqual(view!.names, ["A", "B"]);
  for (const { name, users, metrics, segments, value } of view!.variants) {
    assert.equal(segments.new.users + segments.returning.users, users);
    assert.equal(value, metrics.clicksPerUser);
    const rate = name === "A" ? 0.1 : 0.2;
    assert.ok(Math.abs(metrics.ctr! - rate) < 0.02 && Math.abs(metrics.clicksPerUser! - 10 * rate) < 0.2);
    assert.ok(Object.values(metrics).every((one) => one !== null));
  }
});

Deno.test("ExperimentViews says what ordered the lists of each variant, also after a restart", async () => {
  const { log, registry, monitor } = await deployment([0.1, 0.2]);
  await monitor.update();
  await log.append(monitor.takeChanges());
  const restored = await ExperimentMonitor.open(log, topics, registry);
  for (const one of [monitor, restored]) {
    const { experiments: [view] } = await new ExperimentViews(log, topics, () => 0, () => one).views();
    const [a, b] = view!.variants.map(({ orderedBy }) => orderedBy);
    assert.deepEqual(a, { model: 1 });
    assert.deepEqual(Object.keys(b!), ["prior", "mix"]);
    assert.ok(Math.abs(b!.prior! - 0.25) < 0.05 && Math.abs(b!.prior! + b!.mix! - 1) < 1e-9);
  }
});

Deno.test("ExperimentViews finds no preference between interleaved variants once maxUsers is reached", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  const variants = [{ name: "A" }, { name: "B", maxCandidates: 5 }];
  await registry.start({ name: "e", mode: "interleave", variants, stopRule: { maxUsers: 20 } });
  const views = new ExperimentViews(log, topics, () => 0);
  for (const [users, words] of [[19, "cannot say yet"], [20, "no preference found"]] as const) {
    for (let u = 0; u < users; u++) {
      const { rows, ...sample } = list(`u${u}`, 1, { exposure: ["e", "interleaved"] });
      const drafted = Rows.of(rows.map((row) => ({ ...row, team: (u % 2) as 0 | 1 })));
      const value = encodeSample({ ...sample, rows: drafted });
      await log.append([{ topic: topics.samples, partition: 0, key: `u${u}`, value, time: 0 }]);
    }
    const { experiments: [view] } = await views.views();
    assert.match(view!.text[0]!, new RegExp(`^${words}: .* of ${users} users`));
  }
});

Deno.test("Followed.decode() accepts figures that lack what ordered the lists, who was due, and the first spreads", () => {
  const variants = [{ name: "A" }, { name: "B" }];
  const experiment = startExperiment({ name: "e", variants }, { records: new Map(), models: [] });
  const bytes = new Followed(experiment, new PrePeriod()).encode();
  const [orders, due, spreads] = [variants.length, 9 * variants.length, 1 + 8 * 27];
  for (const lacking of [spreads, due + spreads, orders + due + spreads]) {
    const newer = new Followed(experiment, new PrePeriod());
    assert.equal(newer.decode(bytes.subarray(0, bytes.length - lacking)), true);
    assert.deepEqual(newer.status.orderedBy, [{}, {}]);
  }
});

Deno.test("ExperimentMonitor calls an experiment invalid when users of one arm are lost after their answer", async () => {
  const { monitor } = await deployment([0.1, 0.2], 0.04);
  await monitor.update();
  const [status] = monitor.status();
  assert.equal(status!.lost[0], 0);
  assert.ok(status!.lost[1]! > 15);
  assert.match(
    status!.verdicts[0]!.text,
    /^invalid: users who got an answer and never came back are split 0:100 \(0 and \d+ users, p = /,
  );
});

/** A log of one partition, to which answers and samples are added by hand. */
async function byHand(answered: object = {}) {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const changes = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  await changes.start({
    name: "e",
    variants: [{ name: "A" }, { name: "B", policy: { name: "epsilon", epsilon: 0.1 } }],
  });
  const experiments = new Experiments((await changes.records()).values());
  const exposureOf = (user: string) => experiments.assign(user).exposures[0]!;
  return {
    /** An answer; its record has the time of the engine's clock. */
    answer: async (
      user: string,
      time: number,
      { clock = time, items = [{}], input }: {
        readonly clock?: number;
        readonly items?: readonly object[];
        readonly input?: string;
      } = {},
    ) => {
      const answer = {
        request: `${user}-${time}`,
        user,
        time,
        items,
        ...exposureOf(user),
        tookMicros: 1,
        ...answered,
      };
      const value = new TextEncoder().encode(JSON.stringify(answer));
      const headers = input === undefined ? {} : { [INPUT]: input };
      await log.append([{
        topic: topics.recommendations,
        partition: 0,
        key: user,
        value,
        time: clock,
        headers,
      }]);
    },
    /** The outcome of a list, once all shown before `settledBefore` are final; `null` = the record does not say. */
    sample: async (
      user: string,
      time: number,
      options: {
        readonly settledBefore?: number | null;
        readonly clock?: number;
        readonly early?: boolean;
        readonly clicks?: number;
        /** When the list's outcome was final. */
        readonly closedTime?: number;
        /** Whether the list was shown in the experiment. */
        readonly exposed?: boolean;
      } = {},
    ) => {
      const { settledBefore = time + 1, clock = time + 1, early = false, clicks = 1, exposed = true } =
        options;
      const sample = list(user, clicks, {
        time,
        ...(exposed ? { exposure: ["e", exposureOf(user).variant] as const } : {}),
      });
      const { closedTime = sample.closedTime } = options;
      const value = encodeSample({
        ...sample,
        closedTime,
        ...(early ? { purpose: "learn" as const } : {}),
      });
      const headers = settledBefore === null ? {} : { [SETTLED_BEFORE]: `${settledBefore}` };
      await log.append([{ topic: topics.samples, partition: 0, key: user, value, time: clock, headers }]);
    },
    forget: (user: string, time: number) =>
      log.append([{ topic: topics.samples, partition: 0, key: user, value: null, time }]),
    variantOf: (user: string) => exposureOf(user).variant,
    status: async () => {
      const monitor = await ExperimentMonitor.open(log, topics, changes);
      await monitor.update();
      await log.append(monitor.takeChanges());
      return monitor.status()[0]!;
    },
    users: async () => {
      const monitor = await ExperimentMonitor.open(log, topics, changes, { readOnly: true });
      await monitor.update();
      const [{ totals }] = monitor.status() as [ExperimentStatus];
      return totals.moments(0).users + totals.moments(1).users;
    },
    lost: async () => {
      const monitor = await ExperimentMonitor.open(log, topics, changes, { readOnly: true });
      await monitor.update();
      const [status] = monitor.status();
      return status!.lost.reduce((sum, count) => sum + count, 0);
    },
  };
}

const FAR = Date.UTC(2100, 0, 1);

Deno.test("ExperimentMonitor gives up no user because of a sample from the future", async () => {
  const { answer, sample, lost } = await byHand();
  await answer("a", HOUR);
  await sample("wrong", FAR, { clock: HOUR });
  await sample("other", HOUR, { settledBefore: FAR, clock: HOUR });
  assert.equal(await lost(), 0);
  await sample("late", 3 * HOUR);
  assert.equal(await lost(), 1, "a was away for two hours");
});

Deno.test("ExperimentMonitor gives up users who were answered after an answer from the future", async () => {
  const { answer, sample, lost } = await byHand();
  await answer("wrong", FAR, { clock: HOUR });
  await answer("a", HOUR);
  await sample("b", 3 * HOUR);
  assert.equal(await lost(), 2);
});

Deno.test("ExperimentMonitor counts answers that follow one whose input is far ahead", async () => {
  const { answer, sample, status } = await byHand();
  await answer("foreign", HOUR, { input: "0/999999999999/0" });
  for (let u = 0; u < 10; u++) await answer(`u${u}`, HOUR, { input: `0/${u}/0` });
  await sample("late", 3 * HOUR);
  const { lost, orderedBy, took } = await status();
  assert.equal(lost[0]! + lost[1]!, 11);
  assert.deepEqual([orderedBy.length, took.every(({ mean }) => mean !== null)], [2, true]);
});

Deno.test("ExperimentMonitor counts users with empty lists as users without impressions, in either arm", async () => {
  for (const arm of ["A", "B"]) {
    const { answer, sample, status, variantOf } = await byHand();
    const users = Array.from({ length: 400 }, (_, u) => `u${u}`);
    for (const [u, user] of users.entries()) {
      const time = HOUR + u * 60_000;
      const isEmpty = variantOf(user) === arm && u % 2 === 0;
      await answer(user, time, isEmpty ? { items: [] } : {});
      if (!isEmpty) await sample(user, time, { clicks: u % 3 });
      if (u % 100 === 0) await status(); // and reopens it
    }
    await sample("late", 24 * HOUR);
    const { lost, ratio, totals, verdicts } = await status();
    const split = ["A", "B"].map((name) =>
      [...users, "late"].filter((user) => variantOf(user) === name).length
    );
    assert.deepEqual([lost, ratio.counts, verdicts[0]!.word], [[0, 0], split, "undecided"]);
    const moments = [0, 1].map((at) => totals.moments(at));
    assert.deepEqual(moments.map(({ users }) => users), split);
    const lists = moments[0]!.total("lists") + moments[1]!.total("lists");
    const empty = users.filter((user, u) => variantOf(user) === arm && u % 2 === 0).length;
    assert.equal(lists, 401 - empty, "an empty list is not an impression");
  }
});

Deno.test("ExperimentMonitor judges lost users the same when it is restarted", async () => {
  const run = async (restarts: boolean) => {
    const { answer, sample, status, variantOf } = await byHand();
    for (let u = 0; u < 300; u++) {
      const [user, time] = [`u${u}`, HOUR + u * 60_000];
      const isB = variantOf(user) === "B";
      const isEmpty = isB && u % 3 === 0;
      await answer(user, time, isEmpty ? { items: [] } : {});
      if (!isEmpty && u % (isB ? 2 : 7) !== 0) await sample(user, time);
      if (restarts && u % 25 === 0) await status();
    }
    await sample("late", 24 * HOUR);
    const { lost, verdicts } = await status();
    return { lost, verdicts };
  };
  const undisturbed = await run(false);
  assert.match(undisturbed.verdicts[0]!.text, /never came back are split .*, p = /);
  assert.deepEqual(await run(true), undisturbed);
});

Deno.test("ExperimentMonitor leaves out of a user's past lists that were open when the user joined", async () => {
  const [minute, window] = [60_000, 10 * 60_000];
  for (const reopens of [false, true]) {
    const { answer, sample, status } = await byHand();
    const shown = async (user: string, time: number, clicks: number, exposed: boolean) => {
      const closedTime = time + window;
      await sample(user, time, { clicks, exposed, closedTime, settledBefore: time + 1, clock: closedTime });
      if (reopens) await status();
    };
    await answer("ann", HOUR); // the first list in the experiment; outcomes of those before it are read later
    await shown("ann", HOUR - 11 * minute, 1, false); // final a minute before
    await shown("ann", HOUR - window, 2, false); // final as the first list is made
    await shown("ann", HOUR - 5 * minute, 4, false); // open: what ann clicks on it may depend on the variant
    await shown("ann", HOUR, 3, true);
    await answer("ann", HOUR + minute);
    await shown("ann", HOUR + minute, 3, true);
    const { totals } = await status();
    const clicks = METRIC_FIELDS.indexOf("clicks");
    const of = (field: number) => totals.moments(0).get(field, 0) + totals.moments(1).get(field, 0);
    assert.deepEqual([of(METRIC_FIELDS.length + clicks), of(clicks)], [3, 6], `reopens: ${reopens}`);
  }
});

Deno.test("ExperimentMonitor holds back an empty list until the lists before it are final", async () => {
  const { answer, sample, forget, users, lost } = await byHand();
  await answer("empty", 2 * HOUR, { items: [] });
  await answer("erased", 2 * HOUR, { items: [] });
  await answer("wrong", FAR, { clock: 2 * HOUR, items: [] });
  await sample("before", HOUR, { settledBefore: 2 * HOUR });
  assert.equal(await users(), 1);
  await forget("erased", 2 * HOUR);
  await sample("after", 4 * HOUR);
  assert.deepEqual([await users(), await lost()], [4, 0]);
  await answer("late", 3 * HOUR, { items: [] });
  assert.equal(await users(), 5);
});

Deno.test("ExperimentMonitor leaves out an empty answer whose exposure is broken", async () => {
  for (const phase of ["x", -1, 0.5, null]) {
    const { answer, sample, status, users } = await byHand({
      exposures: [{ experiment: "e", variant: "A", phase }],
    });
    await answer("a", HOUR, { items: [] });
    await status();
    await sample("b", 3 * HOUR);
    assert.equal(await users(), 1, `${phase}`);
  }
});

Deno.test("ExperimentMonitor waits for the whole outcome window, even if some outcomes are known sooner", async () => {
  const { answer, sample, lost } = await byHand();
  const DAY = 24 * HOUR;
  await answer("a", 2 * DAY);
  await answer("b", 2 * DAY);
  await sample("early", 2 * DAY + 3 * HOUR, { early: true });
  await sample("rated", 2 * DAY + 3 * HOUR, { settledBefore: DAY + 3 * HOUR });
  assert.equal(await lost(), 0, "outcomes have a day");
  await sample("a", 2 * DAY);
  await sample("d", 2 * DAY + 2 * HOUR);
  assert.equal(await lost(), 1, "b");
});

Deno.test("ExperimentMonitor holds back a list that closed early until the lists before it are final", async () => {
  const { sample, forget, users } = await byHand();
  await sample("rated", 2 * HOUR, { settledBefore: HOUR });
  assert.equal(await users(), 0);
  await sample("before", HOUR, { settledBefore: 2 * HOUR });
  assert.equal(await users(), 1);
  await sample("same", 2 * HOUR);
  assert.equal(await users(), 3);
  await sample("erased", 3 * HOUR, { settledBefore: 2 * HOUR + 1 });
  await forget("erased", 3 * HOUR + 2);
  await sample("after", 5 * HOUR);
  assert.equal(await users(), 4);
});

Deno.test("ExperimentMonitor counts a list at once if nothing says which others are final, and releases none", async () => {
  const { answer, sample, users, lost } = await byHand();
  await answer("a", HOUR);
  await sample("rated", 2 * HOUR, { settledBefore: HOUR });
  await sample("former", 9 * HOUR, { settledBefore: null });
  assert.deepEqual([await users(), await lost()], [1, 0]);
});

/**
 * A crowd comes at once: users of B close more of their lists early, by rating them, than those of A. The outcome
 * window is a quarter of an hour, and events may be five minutes late.
 *
 * @param minutes how long users keep coming
 */
async function crowd(minutes: number, isReopened: (minute: number) => boolean) {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  const experiments = new Experiments([
    await registry.start({ name: "e", variants: [{ name: "A" }, { name: "B", maxCandidates: 5 }] }),
  ]);
  const random = createRandom(7);
  const [MINUTE, PER_MINUTE] = [60_000, 200];
  const others = [HOUR, 4 * HOUR].map((time) => {
    return { at: time + 20 * MINUTE, sample: list("other", 1, { time }) };
  });
  const written = [...others];
  for (let u = 0; u < minutes * PER_MINUTE; u++) {
    const [user, time] = [`u${u}`, 2 * HOUR + u * MINUTE / PER_MINUTE];
    const exposure = experiments.assign(user).exposures[0]!;
    const isEarly = random() < (exposure.variant === "B" ? 0.5 : 0.1);
    const at = time + (isEarly ? 1 + Math.floor(random() * MINUTE) : 20 * MINUTE);
    written.push({ at, sample: list(user, isEarly ? 10 : 0, { time, exposure: ["e", exposure.variant] }) });
  }
  written.sort((a, b) => a.at - b.at);
  const words: string[] = [];
  let monitor = await ExperimentMonitor.open(log, topics, registry);
  for (let minute = 0, next = 0; next < written.length; minute++) {
    for (; next < written.length && written[next]!.at <= 2 * HOUR + minute * MINUTE; next++) {
      const { at: time, sample } = written[next]!;
      await log.append([{
        topic: topics.samples,
        partition: 0,
        key: sample.user,
        value: encodeSample(sample),
        time,
        headers: { [SETTLED_BEFORE]: `${time - 20 * MINUTE + 1}` },
      }]);
    }
    await monitor.update();
    if (isReopened(minute)) {
      await log.append(monitor.takeChanges());
      monitor = await ExperimentMonitor.open(log, topics, registry);
    }
    words.push(monitor.status()[0]!.verdicts[0]!.word);
  }
  return { words, status: monitor.status()[0]! };
}

Deno.test("ExperimentMonitor counts lists in the order they were shown, so that early ratings favour no variant", async () => {
  const minutes = 8;
  const [whole, reopened] = [
    await crowd(minutes, () => false),
    await crowd(minutes, (minute) => minute % 3 === 0),
  ];
  for (const { words, status: { totals, ratio } } of [whole, reopened]) {
    assert.ok(!words.includes("invalid"), words.join());
    assert.deepEqual(new Set(words.slice(0, 20)), new Set(["undecided"]), "older lists are open");
    assert.equal(ratio.counts[0]! + ratio.counts[1]!, minutes * 200);
    assert.equal(totals.moments(0).users + totals.moments(1).users, minutes * 200);
  }
  assert.deepEqual(reopened.words, whole.words);
  assert.deepEqual(reopened.status.ratio.p, whole.status.ratio.p);
});
