import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { NEVER_SEEN, taobaoSamples } from "../../../../scripts/research/protocols/taobao.ts";
import {
  type Behavior,
  rankingTasks,
  readBehaviors,
  TASK_SIZE,
} from "../../../../scripts/research/protocols/taobao_tasks.ts";
import { auc } from "../../../../src/metrics/ranking.ts";
import { mulberry32 } from "../../../../src/draws/random.ts";
import { dataTest } from "./data.ts";

/** A stream in which user u<i mod 7> views item i<i mod 300> of category c<i mod 13> every second. */
function stream(length: number): Behavior[] {
  return Array.from({ length }, (_, i) => ({
    user: `u${i % 7}`,
    item: `i${i % 300}`,
    category: `c${i % 13}`,
    action: i % 11 === 0 ? "cart" : "view",
    time: 1000 * i,
  }));
}

Deno.test("rankingTasks() takes views of known users, with different items of later events as negatives", () => {
  const behaviors = stream(1500);
  const tasks = [...rankingTasks(behaviors)];
  const wanted = behaviors.flatMap(({ action }, event) =>
    action === "view" && event >= 7 && event < 500 ? [event] : []
  );
  assert.deepEqual(tasks.map(({ event }) => event), wanted);
  for (const { event, items } of tasks) {
    assert.equal(items[0], behaviors[event]?.item);
    assert.equal(new Set(items).size, TASK_SIZE);
    const later = behaviors.slice(event + 1).filter(({ user }) => user !== behaviors[event]?.user);
    for (const item of items.slice(1)) assert.ok(later.some((behavior) => behavior.item === item));
  }
});

Deno.test("rankingTasks() makes no task when too few other items follow", () => {
  const behaviors = stream(1500).map((behavior) => ({ ...behavior, item: "i0" }));
  assert.deepEqual([...rankingTasks(behaviors)], []);
});

Deno.test("taobaoSamples() of a longer stream begins as that of a shorter one, but for the sampled items", () => {
  // What a task may know does not depend on what comes after its event.
  const causal = (behaviors: readonly Behavior[]) =>
    taobaoSamples(behaviors).map(({ user, time, history, rows }) => ({
      user,
      time,
      history,
      row: rows.at(0),
    }));
  const short = causal(stream(1400));
  assert.deepEqual(causal(stream(1700)).slice(0, short.length), short);
});

/** A stream of 400 users in which nine of ten events have an item that none had before, and one of three is a view. */
function novelties(length: number): Behavior[] {
  const random = mulberry32(7);
  const drawn = (n: number) => Math.floor(random() * n);
  let items = 0;
  return Array.from({ length }, (_, i) => {
    const item = items === 0 || random() < 0.9 ? items++ : drawn(items);
    const action = drawn(3) === 0 ? "view" : "cart";
    return { user: `u${drawn(400)}`, item: `i${item}`, category: `c${item % 13}`, action, time: 1000 * i };
  });
}

/** ROC AUC of "an earlier task had it as a negative" over the items of tasks, whose first is the positive one. */
function drawnBefore(tasks: readonly (readonly string[])[]): number {
  const drawn = new Set<string>();
  const labels: number[] = [];
  const scores: number[] = [];
  for (const items of tasks) {
    items.forEach((item, at) => {
      labels.push(at === 0 ? 1 : 0);
      scores.push(item !== NEVER_SEEN && drawn.has(item) ? 1 : 0);
    });
    for (const item of items.slice(1)) drawn.add(item);
  }
  return auc(labels, scores) ?? NaN;
}

function candidates(behaviors: readonly Behavior[]): string[][] {
  return taobaoSamples(behaviors).map(({ rows }) => rows.map(({ item }) => item));
}

Deno.test("taobaoSamples() names a candidate only when an earlier event had it", () => {
  const behaviors = novelties(3000);
  const first = new Map<string, number>();
  behaviors.forEach(({ item }, event) => first.has(item) || first.set(item, event));
  const wanted = [...rankingTasks(behaviors)].map(({ event, items }) =>
    items.map((item) => (first.get(item) ?? Infinity) < event ? item : NEVER_SEEN).join()
  );
  const got = candidates(behaviors).map((items) => items.join());
  assert.deepEqual(got.filter((items, task) => items !== wanted[task]).slice(0, 3), []);
  assert.equal(got.length, wanted.length);
  for (const { rows, history } of taobaoSamples(behaviors)) {
    assert.ok(
      [...rows].every(({ categories }) => categories[0] !== ""),
      "the catalogue knows every category",
    );
    assert.ok(!history.items.includes(NEVER_SEEN), "a history is of items that were seen");
  }
});

Deno.test("taobaoSamples() does not reveal the positive item by which items were drawn before", () => {
  const behaviors = novelties(20_000);
  const leaking = drawnBefore([...rankingTasks(behaviors)].map(({ items }) => items));
  assert.ok(leaking > 0.54, `the ids of the tasks themselves leak: ${leaking}`);
  const masked = drawnBefore(candidates(behaviors));
  assert.ok(Math.abs(masked - 0.5) < 0.02, `those of the samples do not: ${masked}`);
});

// Figures of the protocol's first implementation, in Python: number of tasks, sum of all item ids, SHA-256 of lines
// `event,positive,negative,...`, number of behaviours in all histories, sums of each numeric feature, number and sum
// of the ids that are shown, ROC AUC of "drawn before" by the ids of tasks and by those shown, on all tasks.
dataTest(
  "taobaoSamples() equals the independent implementation",
  "taobao-userbehavior/stream-2017-11-26.csv",
  async (path) => {
    const behaviors = await readBehaviors(path);
    const tasks = [...rankingTasks(behaviors)];
    const hash = createHash("sha256");
    for (const { event, items } of tasks) hash.update(`${[event, ...items].join(",")}\n`);
    const sum = tasks.flatMap(({ items }) => items).reduce((total, item) => total + Number(item), 0);
    assert.equal(tasks.length, 33_303);
    assert.equal(sum, 430_679_090_995);
    assert.equal(hash.digest("hex"), "dae7765b5cd9edc982fedfc856ae2fa5ca3f0cdd437a04d316c5b80f66108e8e");

    const samples = taobaoSamples(behaviors);
    const sums = new Float64Array(9);
    for (const row of samples.flatMap(({ rows }) => [...rows])) {
      row.numerics.forEach((x, i) => sums[i] = (sums[i] ?? 0) + x);
    }
    assert.equal(samples.reduce((total, { history }) => total + history.items.length, 0), 63_963);
    const shown = samples.flatMap(({ rows }) => [...rows]).filter(({ item }) => item !== NEVER_SEEN);
    assert.equal(shown.length, 37_738);
    assert.equal(shown.reduce((total, { item }) => total + Number(item), 0), 97_853_027_602);
    assert.equal(drawnBefore(tasks.map(({ items }) => items)).toFixed(6), "0.605659");
    const masked = drawnBefore(samples.map(({ rows }) => rows.map(({ item }) => item)));
    assert.equal(masked.toFixed(6), "0.519683");
    const wanted = [24880.015904, 709029.58207, 37738, 23620, 13960, 1497, 1588825.569434, 164137.499954];
    wanted.push(-551693.811299);
    sums.forEach((total, i) =>
      assert.ok(Math.abs(total - (wanted[i] ?? NaN)) < 1e-4, `numeric ${i}: ${total}`)
    );
  },
);
