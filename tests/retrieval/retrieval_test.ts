import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { outputs, SMALL, START } from "../engine/streams.ts";

const MINUTE = 60_000;

Deno.test("Retrieval.candidates() limited to a few returns those of all with the largest scores", () => {
  const random = mulberry32(1);
  const task = new TaskState(
    { ...SMALL, retrieval: { ...SMALL.retrieval, maxCandidates: 20 } },
    new FakeServing(),
  );
  const out = outputs();
  let time = START, offset = 0;
  for (let n = 0; n < 60; n++) task.applyItem({ item: `i${n}`, time, category: `c${n % 4}` });
  for (let n = 0; n < 300; n++) {
    const user = `u${n % 20}`;
    const item = `i${(3 * (n % 20) + Math.floor(n / 20) ** 2 + Math.floor(3 * random())) % 40}`;
    task.apply({ type: "interaction", user, item, action: "view", time: time += MINUTE }, offset++, out);
  }
  const { retrieval, catalogue, users } = task;
  for (const user of users.values()) {
    const context = retrieval.past.context(user, time);
    const excluded = [catalogue.get("i0")!.index];
    const query = { user, context, time, excluded, allowed: ({ id }: { id: string }) => id !== "i1" };
    const all = retrieval.candidates(query).candidates;
    const sorted = all.toSorted((a, b) => b.score - a.score);
    assert.equal(all.length, 20);
    assert.ok(all.every(({ item: { id } }) => id !== "i0" && id !== "i1"));
    for (const most of [1, 5, 18, 19, 20, 30]) {
      assert.deepEqual(retrieval.candidates(query, { most }).candidates, sorted.slice(0, most));
    }
  }
});
