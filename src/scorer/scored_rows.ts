/** A list that was scored: rows and logits of all its candidates. */

import { PRIOR_NUMERIC } from "../features/schema.ts";
import type { Rows } from "../samples/rows.ts";
import type { Pending } from "../users/pending/pending.ts";
import { times } from "../values/times.ts";

/** A scored list. Its rows are available until its scorer scores another one. */
export class ScoredRows {
  /** All but the rows. */
  readonly head: Omit<Pending, "rows">;
  /** The model's logits, which become the frozen predictions; the row's offset where they are not finite. */
  readonly logits: Float64Array;
  /** The logits that order the candidates: `share` times these, and the rest the causal prior's. */
  readonly ordering: Float64Array;
  /** The model's share in the mix, in [0, 1]. */
  readonly share: number;
  readonly #rows: Rows;
  readonly #isNewest: () => boolean;

  /**
   * @param rows the model's input; their logits are set to the model's
   * @param logits the model's output
   * @param isNewest whether the rows are still those of this list
   */
  constructor(
    { head, share = 1 }: { readonly head: Omit<Pending, "rows">; readonly share?: number | undefined },
    rows: Rows,
    logits: Float32Array,
    isNewest: () => boolean,
  ) {
    this.head = head;
    this.share = share;
    this.#rows = rows;
    this.#isNewest = isNewest;
    this.logits = new Float64Array(rows.length);
    for (let c = 0; c < rows.length; c++) {
      const logit = Number.isFinite(logits[c]) ? logits[c]! : rows.offset(c);
      this.logits[c] = logit;
      rows.setLogit(c, logit);
    }
    this.ordering = share === 1 ? this.logits : this.logits.map((logit, c) => {
      const prior = rows.numerics[c * rows.width + PRIOR_NUMERIC]!;
      return prior + share * (logit - prior);
    });
  }

  /** Its rows, without places. @throws Error when the scorer has scored another list since */
  get rows(): Rows {
    if (this.#isNewest()) return this.#rows;
    throw new Error("Cannot take rows of a scored list: its scorer has scored another one since");
  }

  /** Copies the rows, so that they outlive the next scored list. All have position 0 until an impression places them. */
  awaitingPlaces(): Rows {
    const { rows } = this;
    const copy = rows.pick(times(rows.length, (row) => row));
    for (let row = 0; row < copy.length; row++) copy.place(row, 0, 1);
    return copy;
  }
}
