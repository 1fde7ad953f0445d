/**
 * One user who repeats a few items, among 2,000 users with 40,000 behaviours, of which some 1,050 are of item 5 and
 * six of item 998.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { listOfSource } from "../../scripts/evaluate/contestants.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { outputs, START } from "../engine/streams.ts";

Deno.test("Retrieval keeps its lists when one user repeats two items a thousand times", () => {
  const schema = { userFields: [], itemFields: [], contextFields: [], crosses: [] };
  const task = new TaskState({ schema, impressions: "logged" }, new FakeServing());
  const { retrieval, users } = task;
  const { sources } = retrieval;
  const random = mulberry32(2);
  const out = outputs();
  let offset = 0, time = START;
  const act = (user: string, item: number) =>
    task.apply({ type: "interaction", user, item: `i${item}`, action: "click", time }, offset++, out);
  /** What is proposed beside item 5, and the lists of all users. */
  const lists = () => {
    const user = users.get("somebody")!;
    const request = { user, context: retrieval.past.context(user, time), time, allowed: () => true };
    for (const source of sources) source.ask?.(request);
    const beside = sources.filter(({ name }) => ["co-visited", "together", "follows"].includes(name))
      .map((source) => [source.name, listOfSource(task, source, 5, () => true)] as const);
    const listed = (["popular", "trending"] as const)
      .map((name) => [name, retrieval.listed(name, () => true).slice(0, 10).map(({ id }) => id)] as const);
    return new Map([...beside, ...listed]);
  };
  for (let n = 0; n < 40_000; n++) {
    time += 2160;
    act(`p${Math.floor(2000 * random())}`, Math.floor(1000 ** random()));
  }
  act("somebody", 5);
  const people = lists();
  for (let acts = 1; acts <= 1000; acts++) {
    time += 250;
    act("robot", acts % 2 === 0 ? 5 : 998);
    if (acts === 100 || acts === 1000) assert.deepEqual(lists(), people, `${acts} acts`);
  }
});
