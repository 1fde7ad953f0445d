/** Why an item has its score: where the model looks, and what the score would be without each behaviour. */

import type { Serving } from "../features/serving.ts";
import type { ListFeatures } from "../samples/sample.ts";

/** Why one candidate has its score. All logits are without a place in the list. */
export interface Explanation {
  readonly item: string;
  /** The model's score with the whole history. */
  readonly logit: number;
  /** The smoothed click rates that the model starts from, as a logit. */
  readonly prior: number;
  /** What `weights` belong to; `null` when the model has no weights by candidate. */
  readonly looksAt: string | null;
  /** One per behaviour of the history, `null` for those that the model reads as a state; or one per part of it. */
  readonly weights: readonly (number | null)[];
  /**
   * How much each behaviour of the history raises the logit: the score with it minus that without it. `null` for
   * behaviours that are already in a state and cannot be removed.
   */
  readonly effects: readonly (number | null)[];
}

/**
 * Explains the rows of an impression. A behaviour is removed from the history only: the running statistics still
 * include it. Scores all rows once per behaviour, and yields before each.
 *
 * If the version changes in between, the following effects are those of the new one.
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

/** The impression without one behaviour of its history. */
export function withoutBehaviour(list: ListFeatures, index: number): ListFeatures {
  const { items, categories, actions, times, strengths } = list.history;
  const others = <Value>(values: Iterable<Value>) => [...values].filter((_, i) => i !== index);
  return {
    ...list,
    history: {
      ...list.history,
      items: others(items),
      categories: others(categories),
      actions: others(actions),
      times: Float64Array.from(others(times)),
      strengths: Float32Array.from(others(strengths)),
    },
  };
}
