/**
 * Why an item has its score: where the model looks, and what the score would be without each behaviour.
 *
 * @module
 */

import type { Serving } from "../features/serving.ts";
import type { ListFeatures } from "../samples/sample.ts";

/** Why one candidate has its score. All logits are without a place in the list. */
export interface Explanation {
  /** Id of the item. */
  readonly item: string;
  /** The model's score with everything. */
  readonly logit: number;
  /** The smoothed click rates that the model starts from, as a logit. */
  readonly prior: number;
  /** What `weights` are of; `null` when the model weighs nothing by candidate. */
  readonly looksAt: string | null;
  /** One a behaviour of the history, `null` for those that the model read as a state; or one a part of the state. */
  readonly weights: readonly (number | null)[];
  /**
   * By how much each behaviour of the history raises the logit: the score with it less that without it. `null` for
   * those that are in a state already, and cannot be taken out.
   */
  readonly effects: readonly (number | null)[];
}

/**
 * Explains the rows of an impression. A behaviour is left out of the history alone: the running statistics, in which
 * it counts as well, stay as they are. Costs a score of all rows for each behaviour; yields after each.
 *
 * When the version moves in between, the effects that follow are of the new one.
 */
export function* explain(serving: Serving, list: ListFeatures): Generator<void, readonly Explanation[]> {
  const { history, rows } = list;
  if (rows.length === 0) return [];
  let { version } = serving;
  let whole = serving.score(list);
  const look = serving.look?.(list) ?? null;
  const logits = whole;
  const T = history.items.length;
  const from = serving.lifelong ? list.state?.from ?? 0 : 0;
  const effects = Array.from({ length: rows.length }, () => new Array<number | null>(T).fill(null));
  for (let t = T - 1; t >= from; t--) {
    yield;
    if (serving.version !== version) {
      version = serving.version;
      whole = serving.score(list);
    }
    const without = serving.score(withoutBehaviour(list, t));
    effects.forEach((own, row) => own[t] = whole[row]! - without[row]!);
  }
  return rows.map(({ item, offset }, row) => {
    const weights = look === null
      ? []
      : Array.from(look.weights.subarray(row * look.size, (row + 1) * look.size));
    const unread = look?.at === "behaviours" ? T - look.size : 0;
    return {
      item,
      logit: logits[row]!,
      prior: offset,
      looksAt: look?.at ?? null,
      weights: [...Array.from({ length: unread }, () => null), ...weights],
      effects: effects[row]!,
    };
  });
}

/** The impression as it would be, had a behaviour of its history not happened. */
export function withoutBehaviour(list: ListFeatures, index: number): ListFeatures {
  const { items, categories, actions, times, strengths } = list.history;
  const others = <Value>(values: Iterable<Value>) => [...values].filter((_, i) => i !== index);
  return {
    ...list,
    history: {
      items: others(items),
      categories: others(categories),
      actions: others(actions),
      times: Float64Array.from(others(times)),
      strengths: Float32Array.from(others(strengths)),
    },
  };
}
