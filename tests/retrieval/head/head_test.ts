import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { TaskState } from "../../../src/engine/task_state.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import type { Event } from "../../../src/events/event.ts";
import { modelSizes } from "../../../src/features/rows/assembler.ts";
import { Learner } from "../../../src/learner/learner.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { createModel } from "../../../src/nn/models/registry.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../../src/samples/sample_codec.ts";
import type { Serving } from "../../../src/features/serving.ts";
import { PRIOR } from "../../../src/serving/prior_serving.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import { decodeVersion, encodeVersion } from "../../../src/serving/version.ts";
import { Durable, inventory, outputs } from "../../engine/streams.ts";

const GROUPS = 10, SIZE = 6, USERS = 15;
const OPTIONS: TaskOptions = {
  schema: { userFields: [], itemFields: [], contextFields: [], crosses: [], transitions: null },
  impressions: "logged",
  retrieval: { maxCandidates: 30, newShare: 0, revisits: true, head: true },
};

/**
 * A user who views an item takes one of its category next; a user who buys it, one of the next category. Only the
 * strength of the behaviour tells which, not the weight of a category or of a pair.
 */
function* visits(
  count: number,
  userOf = (random: number) => `u${Math.floor(random * USERS)}`,
): Generator<Event> {
  const random = mulberry32(5);
  const newest = new Map<string, { group: number; bought: boolean }>();
  for (let n = 0; n < count; n++) {
    const user = userOf(random()), time = 1_700_000_000_000 + n * 20_000;
    const before = newest.get(user);
    const group = before === undefined || random() < 0.1
      ? Math.floor(random() * GROUPS)
      : (before.group + (before.bought ? 1 : 0)) % GROUPS;
    const bought = random() < 0.5;
    newest.set(user, { group, bought });
    yield { type: "request", user, time, request: `r${n}`, count: SIZE };
    const item = `i${group}-${Math.floor(random() * SIZE)}`;
    yield { type: "interaction", user, time, item, action: bought ? "purchase" : "view" };
  }
}

function model() {
  return createModel("base", modelSizes(OPTIONS.schema, 4), { widths: [4] }, mulberry32(1), createKernels());
}

function fresh(options: TaskOptions, serving: Serving): TaskState {
  const task = new TaskState(options, serving);
  for (let n = 0; n < GROUPS * SIZE; n++) {
    const group = Math.floor(n / SIZE);
    task.applyItem({ item: `i${group}-${n % SIZE}`, time: 1_600_000_000_000, category: `c${group}` });
  }
  return task;
}

/** `hits`: share of the second half's behaviours whose item was recommended just before. */
function play(options: TaskOptions, count: number, userOf?: (random: number) => string) {
  const serving = new ServingModel(model(), OPTIONS.schema, 4);
  const learner = new Learner(model(), { schema: OPTIONS.schema, embeddingWidth: 4 });
  const task = fresh(options, serving);
  let [offset, version, hits, preferences] = [0, 0, 0, 0];
  const byUser = new Map<string, number>();
  let list: readonly string[] = [];
  let batch: Sample[] = [];
  for (const event of visits(count, userOf)) {
    const out = outputs();
    task.apply(event, offset++, out);
    if (event.type === "request") list = out.recommendations[0]!.items.map(({ item }) => item);
    if (event.type === "interaction" && offset > count && list.includes(event.item)) hits++;
    for (const { user } of out.samples.filter(({ preference }) => preference !== undefined)) {
      preferences++;
      byUser.set(user, (byUser.get(user) ?? 0) + 1);
    }
    batch.push(...out.samples);
    if (batch.length < 32) continue;
    learner.learn(batch.map((sample) => decodeSample(encodeSample(sample))));
    serving.apply(decodeVersion(encodeVersion(learner.version("delta", ++version))));
    batch = [];
  }
  return { task, hits: hits / (count / 2), preferences, byUser };
}

let played: ReturnType<typeof play> | undefined;
/** What two tests look at. */
const withHead = () => played ??= play(OPTIONS, 2200);

Deno.test("Retrieval with a head learns from behaviours alone what the blend cannot express", () => {
  const { retrieval } = OPTIONS;
  const head = withHead();
  const blend = play({ ...OPTIONS, retrieval: { ...retrieval, head: false } }, 2200);
  assert.equal(blend.preferences, 0);
  assert.ok(head.hits > blend.hits + 0.05, `head ${head.hits}, blend ${blend.hits}`);
});

Deno.test("Retrieval with a head makes preferences of what the blend learns from, and of nothing else", () => {
  const { task, preferences } = withHead();
  const steps = task.retrieval.ordering.blend.steps;
  assert.ok(steps > 1500 && Math.abs(preferences - steps) < 0.1 * steps, `${preferences} of ${steps}`);
});

Deno.test("Retrieval with a head limits the preferences of a robot that makes nine of ten behaviours", () => {
  const userOf = (random: number) => random < 0.9 ? "robot" : `u${Math.floor(1e6 * random) % 40}`;
  const { byUser, preferences } = play(OPTIONS, 2200, userOf);
  const robot = byUser.get("robot")!;
  assert.ok(robot < 0.6 * preferences, `${robot} of ${preferences}`);
  assert.ok(preferences - robot > 150, `${robot} of ${preferences}`);
});

Deno.test("Retrieval makes no preferences when the blend alone orders", () => {
  assert.equal(play({ ...OPTIONS, ranking: "blend" }, 400).preferences, 0);
  assert.ok(play(OPTIONS, 400).preferences > 200);
});

Deno.test("Retrieval with a head leaves users with a partly unknown past to the blend, and learns nothing from them", () => {
  const retrieval = { ...OPTIONS.retrieval, revisits: false };
  const options = { ...OPTIONS, retrieval, sequence: { capacity: 12, window: 6, hop: 2 } };
  const asked: number[] = [];
  const task = fresh(options, {
    ...PRIOR,
    order: () => ({ K, scores }) => {
      asked.push(K);
      return scores;
    },
  });
  const time = 1_700_010_000_000;
  let offset = 0;
  for (const event of visits(300)) task.apply(event, offset++, outputs());
  asked.length = 0;
  const counts: number[][] = [];
  for (let n = 0; n < 40; n++) {
    // As if its record had been written before former items were noted.
    if (n === 20) task.users.get("u")!.former = null;
    const out = outputs();
    task.apply({ type: "request", user: "u", time: time + n, request: `r${n}`, count: 3 }, offset++, out);
    const item = out.recommendations[0]!.items[0]!.item;
    task.apply({ type: "interaction", user: "u", time: time + n, item, action: "click" }, offset++, out);
    counts.push([asked.length, out.samples.filter(({ preference }) => preference !== undefined).length]);
  }
  const samples = counts.map(([, sampled]) => sampled!);
  // Not one each: some of the items are new or drawn at random, and not proposed by the blend.
  assert.ok(samples.slice(0, 12).filter((count) => count === 1).length >= 5, `${samples}`);
  assert.ok(samples.slice(13, 20).filter((count) => count === 1).length >= 2, `${samples}`);
  assert.ok(samples.slice(21).every((count) => count === 0), `${samples}`);
  assert.ok(counts[19]![0]! > counts[12]![0]!);
  assert.equal(counts.at(-1)![0], counts[20]![0]);
});

Deno.test("Retrieval with a head recommends and samples the same, bit for bit, when restored", () => {
  const serving = new ServingModel(model(), OPTIONS.schema, 4);
  const newLearner = () => new Learner(model(), { schema: OPTIONS.schema, embeddingWidth: 4 });
  const learner = newLearner();
  let resumed = newLearner();
  const whole = fresh(OPTIONS, serving);
  let restored = fresh(OPTIONS, serving);
  const durable = new Durable();
  let [offset, version, preferences] = [0, 0, 0];
  for (const event of visits(600)) {
    const [want, got] = [outputs(), outputs()];
    whole.apply(event, offset, want);
    restored.apply(event, offset++, got);
    assert.deepEqual(got.recommendations, want.recommendations);
    assert.deepEqual(got.samples.map(encodeSample), want.samples.map(encodeSample));
    preferences += want.samples.length;
    learner.learn(want.samples);
    resumed.learn(got.samples);
    if (offset % 100 === 0) serving.apply(learner.version("delta", ++version));
    if (offset % 250 > 0) continue;
    const other = newLearner();
    other.decode(resumed.encode());
    resumed = other;
    durable.commit(restored, got);
    restored = durable.restore(OPTIONS, serving);
  }
  assert.ok(preferences > 400);
  assert.deepEqual(encodeVersion(resumed.version("full", 9)), encodeVersion(learner.version("full", 9)));
  assert.deepEqual(inventory(restored), inventory(whole));
});
