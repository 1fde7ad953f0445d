/**
 * P3: the tasks of `taobao_tasks.ts` as our samples, with features that use only the events before a task's event.
 *
 * The same must hold for ids. Negatives come from later events, so a model that sees their ids learns from the tasks
 * which items are still to come: how often an item was drawn before has a ROC AUC of 0.62 by itself. A candidate
 * without an earlier event is therefore {@linkcode NEVER_SEEN}, positive or not; its category is known, as in a
 * catalogue.
 */

import { POOLED_NAMES } from "../../../src/features/pooled/pair_statistics.ts";
import {
  type PastBehaviours,
  POOLED_BEHAVIOURS,
  type PooledItem,
  PooledPairs,
} from "../../../src/features/pooled/pooled_pairs.ts";
import type { FeatureSchema } from "../../../src/features/schema.ts";
import { Rows, type RowValues } from "../../../src/samples/rows.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import { TaobaoStatistics } from "./taobao_statistics.ts";
import { type Behavior, rankingTasks, TASK_SIZE } from "./taobao_tasks.ts";

/** Newest behaviours in a history, by default. */
const HISTORY = 50;

/** The id of every candidate that did not occur in the stream before its task. */
export const NEVER_SEEN = "never seen";

/** Features of the protocol; ids and categories of the items are always features. */
export const TAOBAO_SCHEMA: FeatureSchema = {
  userFields: [],
  itemFields: [],
  contextFields: [],
  crosses: [],
  // The protocol has its own, as a numeric feature.
  transitions: null,
  numerics: [...TaobaoStatistics.names, ...POOLED_NAMES],
};

/** The same without pooled pairs. */
export const BARE_TAOBAO_SCHEMA: FeatureSchema = { ...TAOBAO_SCHEMA, numerics: TaobaoStatistics.names };

/** All tasks as samples, in the order of time, with the newest {@linkcode HISTORY} behaviours as history. */
export function taobaoSamples(behaviors: readonly Behavior[]): readonly Sample[] {
  // The catalogue is given: an item has the category of its first event, even before that event.
  const categories = new Map<string, string>();
  for (const { item, category } of behaviors) if (!categories.has(item)) categories.set(item, category);
  const statistics = new TaobaoStatistics(categories);
  const pairs = new TaobaoPairs(statistics);
  const samples: Sample[] = [];
  let next = 0;
  for (const { event, items } of rankingTasks(behaviors)) {
    for (; next < event; next++) {
      pairs.update(behaviors[next]!);
      statistics.update(behaviors[next]!);
    }
    samples.push(toSample(behaviors[event]!, items, { statistics, pairs, length: HISTORY }));
  }
  return samples;
}

/** Pooled pairs of the stream, each behaviour of strength 1. */
class TaobaoPairs {
  readonly #statistics: TaobaoStatistics;
  readonly #items: PooledItem[] = [];
  readonly #indices = new Map<string, number>();
  readonly #pairs = new PooledPairs((index) => this.#items[index]!);

  /** Starts without counts; histories are those of the statistics. */
  constructor(statistics: TaobaoStatistics) {
    this.#statistics = statistics;
  }

  /** Counts a behaviour that is not in the history yet. */
  update({ user, item, time }: Behavior): void {
    const category = this.#statistics.category(item);
    const last = this.#statistics.history(user).at(-1);
    this.#pairs.learn({
      item: this.#indexOf(item),
      time,
      liked: true,
      detail: { strength: 1, category },
      context: this.#newest(user),
      step: last === undefined ? null : [this.#statistics.category(last.item), category],
    });
  }

  /** The features of items [K, N]. */
  features(user: string, items: readonly string[], time: number): Float32Array {
    const { count } = this.#pairs;
    const out = new Float32Array(items.length * count);
    const write = this.#pairs.poolFor(this.#newest(user), time);
    items.forEach((item, n) => write(this.#indexOf(item), out, n * count));
    return out;
  }

  #newest(user: string): PastBehaviours {
    const newest = this.#statistics.history(user).slice(-POOLED_BEHAVIOURS).reverse();
    return {
      size: newest.length,
      items: newest.map(({ item }) => this.#indexOf(item)),
      times: newest.map(({ time }) => time),
      strengths: newest.map(() => 1),
    };
  }

  #indexOf(id: string): number {
    const known = this.#indices.get(id);
    if (known !== undefined) return known;
    this.#indices.set(id, this.#items.length);
    return this.#items.push({ id, categories: [this.#statistics.category(id)] }) - 1;
  }
}

function toSample(
  behavior: Behavior,
  items: readonly string[],
  { statistics, pairs, length }: {
    readonly statistics: TaobaoStatistics;
    readonly pairs: TaobaoPairs;
    readonly length: number;
  },
): Sample {
  const { user, time } = behavior;
  const pooled = pairs.features(user, items, time);
  const history = statistics.history(user).slice(-length);
  const rows = items.map((item, at): RowValues => ({
    item: statistics.knows(item) ? item : NEVER_SEEN,
    categories: [statistics.category(item)],
    fields: [],
    numerics: Float32Array.of(
      ...statistics.numerics(user, item, time),
      ...pooled.subarray(at * POOLED_NAMES.length, (at + 1) * POOLED_NAMES.length),
    ),
    // One of five is positive by construction.
    offset: -Math.log(TASK_SIZE - 1),
    label: at === 0 ? 1 : 0,
    // A position would reveal the label: the positive one comes first.
    position: -1,
    prediction: NaN,
  }));
  return {
    request: `${user}:${time}`,
    user,
    time,
    closedTime: time,
    version: 0,
    newUser: false,
    history: {
      items: history.map(({ item }) => item),
      categories: history.map(({ category }) => [category]),
      actions: history.map(({ action }) => action),
      times: Float64Array.from(history, (behavior) => behavior.time),
      strengths: new Float32Array(history.length).fill(1),
    },
    userFields: [],
    contextFields: [],
    rows: Rows.of(rows),
  };
}
