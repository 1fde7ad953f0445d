import assert from "node:assert/strict";
import { Gatherer } from "../../src/retrieval/gatherer.ts";
import { ItemScores } from "../../src/retrieval/item_scores.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { FakeServing } from "../state/fake_serving.ts";
import { outputs, SMALL, START } from "../state/streams.ts";

const GROUPS = 5;
const ITEMS_A_GROUP = 30;
/** Behaviours between two visits to the own group: more than any other source looks back. */
const AWAY = 45;
const VISIT = 12;

/** Remembers the group that somebody was in before the crowd, and how long ago. */
class Remembering extends FakeServing {
  constructor() {
    super(GROUPS + 2);
  }

  override initState(): Float32Array {
    return new Float32Array(this.stateSize);
  }

  override step(state: Float32Array, item: string): void {
    const group = Number(item.split("-")[0]);
    if (group < GROUPS) {
      state.fill(0);
      state[group] = 1;
    } else state[GROUPS] = Math.min(1, state[GROUPS]! + 1 / AWAY);
    state[GROUPS + 1] = state[GROUPS]! > 0.97 ? 1 : 0;
  }
}

const OPTIONS: TaskOptions = {
  ...SMALL,
  sequence: { capacity: 100, window: 100, hop: 10 },
  maxStaleVersions: 10,
  retrieval: {
    maxCandidates: 50,
    revisits: true,
    vectors: { dimensions: 16 },
    state: { learnEvery: 1 },
  },
};

Deno.test("StateMap.score() finds by the hidden state what nothing in the last 45 behaviours tells", () => {
  const task = new TaskState(OPTIONS, new Remembering());
  const out = outputs();
  const random = mulberry32(12);
  let offset = 0, time = START;
  const view = (user: string, group: number) => {
    const item = `${group}-${Math.floor(random() * ITEMS_A_GROUP)}`;
    task.apply({ type: "interaction", user, item, action: "click", time: time += 1000 }, offset++, out);
  };
  const gatherer = new Gatherer(task, task.retrieval.state, task.retrieval.lists, false);
  const right = { state: 0, vectors: 0 };
  let asked = 0;
  const { map, vectors } = task.retrieval.state;
  for (let cycle = 0; cycle < 12; cycle++) {
    for (let number = 0; number < 40; number++) {
      const own = number % GROUPS;
      for (let n = 0; n < VISIT; n++) view(`u${number}`, own);
      for (let n = 0; n < AWAY; n++) view(`u${number}`, GROUPS);
      if (cycle < 8) continue;
      const user = task.users.get(`u${number}`)!;
      const scores = { state: new ItemScores(), vectors: new ItemScores() };
      map!.score(gatherer.stateOf(user, time)!, scores.state);
      vectors.score(task.retrieval.context(user, time), time, scores.vectors);
      for (const source of ["state", "vectors"] as const) {
        for (const item of scores[source].best(ITEMS_A_GROUP, () => true)) {
          if (task.catalogue.at(item).id.startsWith(`${own}-`)) right[source] += 1 / ITEMS_A_GROUP;
        }
      }
      asked++;
    }
  }
  assert.ok(map!.steps > 10_000);
  // A sixth of all items are of the own group, a fifth of those that are not the crowd's.
  const [state, others] = [right.state / asked, right.vectors / asked];
  assert.ok(state > 0.5 && others < 0.3, JSON.stringify({ state, others }));
});

Deno.test("TaskState refuses to search with states of a model that has none", () => {
  assert.throws(() => new TaskState(OPTIONS, new FakeServing(0)), {
    name: "RangeError",
    message: /the model fake has none/,
  });
});
