import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { taobaoSamples } from "../../scripts/protocols/taobao.ts";
import {
  type Behavior,
  rankingTasks,
  readBehaviors,
  TASK_SIZE,
} from "../../scripts/protocols/taobao_tasks.ts";
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

Deno.test("rankingTasks() takes views of known users, and five different items of later events", () => {
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

Deno.test("rankingTasks() gives no task when too few other items follow", () => {
  const behaviors = stream(1500).map((behavior) => ({ ...behavior, item: "i0" }));
  assert.deepEqual([...rankingTasks(behaviors)], []);
});

Deno.test("taobaoSamples() of a longer stream begin as those of a shorter one, but for the sampled items", () => {
  // What a task may know does not depend on what comes after its event.
  const causal = (behaviors: readonly Behavior[]) =>
    taobaoSamples(behaviors).map(({ user, time, history, rows }) => ({ user, time, history, row: rows[0] }));
  const short = causal(stream(1400));
  assert.deepEqual(causal(stream(1700)).slice(0, short.length), short);
});

// Figures of the protocol's first implementation, in Python: number of tasks, sum of all item ids, SHA-256 of lines
// `event,positive,negative,...`, number of behaviours in all histories, sums of each numeric feature.
dataTest(
  "taobaoSamples() are those of the independent implementation",
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
    for (const row of samples.flatMap(({ rows }) => rows)) {
      row.numerics.forEach((x, i) => sums[i] = (sums[i] ?? 0) + x);
    }
    assert.equal(samples.reduce((total, { history }) => total + history.items.length, 0), 63_963);
    const wanted = [24880.015904, 709029.58207, 37738, 23620, 13960, 1497, 1588825.569434, 164137.499954];
    wanted.push(-551693.811299);
    sums.forEach((total, i) =>
      assert.ok(Math.abs(total - (wanted[i] ?? NaN)) < 1e-4, `numeric ${i}: ${total}`)
    );
  },
);
