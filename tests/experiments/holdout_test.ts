import assert from "node:assert/strict";
import { Experiments } from "../../src/assignment/assignment.ts";
import { type Holdout, STOP_RULE } from "../../src/assignment/experiment.ts";
import { holdoutExperiment } from "../../src/assignment/holdout.ts";
import { criticalSquare } from "../../src/metrics/confidence_sequence.ts";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { type ExperimentView, ExperimentViews } from "../../streams/experiments/views.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SETTLED_BEFORE } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { list } from "./lists.ts";
import { breadth } from "../breadth.ts";

const topics = topicNames();
const HOUR = 3_600_000;
const PROMOTED = { name: "B", maxCandidates: 5 };

async function shop(share = 0.2) {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 2));
  const registry = new ExperimentRegistry(log, topics, { models: [], now: () => 0 });
  if (share > 0) await registry.holdout(share);
  return { log, registry };
}

type Shop = Awaited<ReturnType<typeof shop>>;

interface Visits {
  readonly users: number;
  readonly from: number;
  readonly seed?: number;
  /** Clicks per row of the users held out, and of all others. */
  readonly rates?: readonly [held: number, rest: number];
  /** Share of each user's lists that are empty. */
  readonly empty?: number;
}

/** Answers and outcomes of all users, as a task with these experiments makes them. */
async function visit({ log, registry }: Shop, visits: Visits, experiments?: Experiments): Promise<void> {
  const { users, from, seed = 1, rates = [0.1, 0.1], empty = 0 } = visits;
  const known = experiments ?? new Experiments((await registry.records()).values());
  const random = createRandom(seed);
  const records: NewRecord[] = [];
  for (let u = 0; u < users; u++) {
    const [user, time, partition] = [`u${u}`, from + u * 1000, u % 2];
    const { exposures } = known.assign(user);
    const isHeld = exposures.some(({ variant }) => variant === "holdout");
    const isEmpty = random() < empty;
    const answer = {
      request: `${user}-${time}`,
      user,
      time,
      items: isEmpty ? [] : [{}],
      tookMicros: 10,
      stateVersion: 1,
    };
    const value = new TextEncoder().encode(JSON.stringify({ ...answer, exposures }));
    records.push({ topic: topics.recommendations, partition, key: user, value, time });
    if (isEmpty) continue;
    const rate = rates[isHeld ? 0 : 1] * Math.exp(0.5 * normal(createRandom(u, 9)));
    const clicks = Array.from({ length: 10 }).filter(() => random() < rate).length;
    const sample: Sample = { ...list(user, clicks, { time }), exposures };
    const headers = { [SETTLED_BEFORE]: `${time + 1}` };
    records.push({ topic: topics.samples, partition, key: user, value: encodeSample(sample), time, headers });
  }
  await log.append(records);
}

async function figuresOf({ log }: Shop): Promise<ExperimentView | undefined> {
  const { experiments } = await new ExperimentViews(log, topics, () => 0).views();
  return experiments.find(({ name }) => name === "holdout");
}

Deno.test("ExperimentViews compares held-out users with all others, those in experiments included", async () => {
  const one = await shop();
  await one.registry.start({ name: "e", traffic: 0.5, variants: [{ name: "A" }, PROMOTED] });
  await visit(one, { users: 4000, from: HOUR, rates: [0.1, 0.13], empty: 0.2 });
  const view = await figuresOf(one);
  const [held, rest] = view!.variants;
  assert.deepEqual([held!.name, held!.control, rest!.name], ["holdout", true, "rest"]);
  assert.equal(held!.users + rest!.users, 4000);
  assert.ok(Math.abs(held!.users - 800) < 100 && view!.split.p > 0.01);
  assert.equal(rest!.word, "better", view!.text[0]!);
  assert.match(view!.text[0]!, /^rest is better: \+\d/);
  const { clicksPerUser, listsPerUser } = rest!.lifts;
  assert.deepEqual([clicksPerUser.lift, clicksPerUser.low], [rest!.lift, rest!.low]);
  assert.ok(listsPerUser.low! < 0 && listsPerUser.high! > 0);
  assert.equal(held!.lifts.ctr.lift, null);
});

Deno.test("ExperimentViews gives no verdict on a holdout without effect, in any shop with three looks each", async () => {
  const shops = breadth(15, 40);
  let alarms = 0;
  for (let seed = 1; seed <= shops; seed++) {
    const one = await shop(0.05);
    const views = new ExperimentViews(one.log, topics, () => 0);
    let said = false;
    for (let round = 1; round <= 3; round++) {
      await visit(one, { users: 400, from: round * HOUR, seed: 100 * seed + round, empty: 0.1 });
      const { experiments: [view] } = await views.views();
      said ||= !["undecided", "no difference"].includes(view!.variants[1]!.word!);
    }
    alarms += Number(said);
  }
  assert.ok(alarms <= 2, `${alarms} of ${shops} at 5 %`);
});

Deno.test("ExperimentViews restarts the figures of a holdout when its share changes, with users drawn anew", async () => {
  const one = await shop();
  await visit(one, { users: 2000, from: HOUR, rates: [0.1, 0.2] });
  assert.equal((await figuresOf(one))!.variants[1]!.word, "better");
  const before = (await one.registry.records()).get("holdout") as Holdout;
  assert.deepEqual(await one.registry.holdout(0.2), before, "the same share changes nothing");
  await one.registry.holdout(0.3);
  await visit(one, { users: 100, from: 2 * HOUR }, new Experiments([before])); // lists that were open then
  await visit(one, { users: 2000, from: 3 * HOUR });
  const view = await figuresOf(one);
  assert.equal(view!.variants[0]!.users + view!.variants[1]!.users, 2000);
  assert.equal(view!.variants[1]!.word, "undecided", view!.text[0]!);
  assert.ok(view!.split.p > 0.01 && view!.moved === 0);
});

Deno.test("ExperimentViews keeps the figures of a holdout that has ended", async () => {
  const one = await shop();
  await visit(one, { users: 2000, from: HOUR, rates: [0.1, 0.2] });
  await one.registry.holdout(0);
  await visit(one, { users: 2000, from: 2 * HOUR });
  const view = await figuresOf(one);
  assert.deepEqual([view!.status, view!.variants[1]!.word], ["stopped", "better"]);
  assert.equal(view!.variants[1]!.lists + view!.variants[0]!.lists, 2000);
  await one.registry.holdout(0.2);
  assert.equal((await figuresOf(one))!.variants[0]!.users, 0);
});

Deno.test("ExperimentViews has no figures of a holdout that an older release set", async () => {
  const one = await shop(0);
  const record: Holdout = { name: "holdout", salt: "holdout", share: 0.2 };
  const value = new TextEncoder().encode(JSON.stringify(record));
  await one.log.append([{ topic: topics.experiments, partition: 0, key: "holdout", value, time: 0 }]);
  await visit(one, { users: 2000, from: HOUR, rates: [0.1, 0.2] });
  assert.equal(await figuresOf(one), undefined);
  // Its users are drawn anew, so what they had is alike in both arms, and CUPED may take it out.
  await one.registry.holdout(0.2);
  await visit(one, { users: 2000, from: 2 * HOUR });
  const view = await figuresOf(one);
  assert.deepEqual([view!.variants[1]!.word, view!.variants[1]!.users > 1500], ["undecided", true]);
});

Deno.test("ExperimentMonitor resumes the holdout's figures; an erased user who returns counts as another one", async () => {
  const one = await shop();
  await visit(one, { users: 1000, from: HOUR, empty: 0.1 });
  const first = await ExperimentMonitor.open(one.log, topics, one.registry);
  await first.update();
  await one.log.append(first.takeChanges());
  await one.log.append([{ topic: topics.samples, partition: 1, key: "u9", value: null, time: 2 * HOUR }]);
  await visit(one, { users: 1000, from: 3 * HOUR, seed: 2 });
  const resumed = await ExperimentMonitor.open(one.log, topics, one.registry);
  for (const monitor of [first, resumed]) await monitor.update();
  const viewOf = async (monitor: ExperimentMonitor) =>
    (await new ExperimentViews(one.log, topics, () => 0, () => monitor).views()).experiments[0];
  assert.deepEqual(await viewOf(resumed), await viewOf(first));
  const users = (await viewOf(resumed))!.variants.reduce((sum, variant) => sum + variant.users, 0);
  assert.equal(users, 1001, "an erased user stays counted, and is counted again");
});

Deno.test("holdoutExperiment() demands the same evidence for the same information at any share", () => {
  const squareAt = (users: number, maxUsers = STOP_RULE.maxUsers) =>
    criticalSquare(users, { alpha: STOP_RULE.alpha, tunedFor: 2 / 3 * maxUsers });
  for (const share of [0.0001, 0.01, 0.1, 0.5, 0.98]) {
    const record = { name: "holdout", salt: "s", share, lastShare: share, phase: 1 } as const;
    const { maxUsers } = holdoutExperiment(record)!.stopRule;
    for (const even of [2000, 20_000, 50_000]) {
      const users = even / (4 * share * (1 - share)); // the variance of a difference is that of `even` users, 50:50
      assert.ok(Math.abs(squareAt(users, maxUsers) / squareAt(even) - 1) < 1e-3, `${share}`);
    }
  }
});
