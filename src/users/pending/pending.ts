/**
 * Impressions whose outcome is open, with everything the sample will need as it was at the impression.
 *
 * ```text
 *   impression at t         click within (t, t + W]          watermark passes t + W
 *   ●───────────────────────────●───────────────────────────────────●──────────▶ event time
 *   features, prediction frozen   label of the item := 1             sample emitted, open labels := 0
 * ```
 *
 * An explicit outcome (a rating, a dislike) closes its item at once; an impression whose items are all closed is
 * emitted at once. One whose items were all clicked waits: if clicks were learnt sooner than their absence, the
 * model would believe in too many.
 *
 * @module
 */

import type { Exposure } from "../../assignment/exposure.ts";
import type { Sample, SampleHistory, SampleRow, SampleState } from "../../samples/sample.ts";
import type { Catalogue } from "../../items/catalogue.ts";
import type { PendingRows } from "./pending_rows.ts";
import type { StoredState } from "../states/stored_state.ts";

/** The state that a list's history goes on from; impressions share it. */
export interface PendingState {
  /** How many of the history's behaviours are in it. */
  readonly from: number;
  /** The state. */
  readonly stored: StoredState;
}

/** A list that was shown (or answered and perhaps shown), waiting for its outcome. */
export interface Pending {
  /** Id of the request or impression. */
  readonly request: string;
  /** Whether it was shown; an answer that nobody confirmed as shown makes no sample. */
  readonly shown: boolean;
  /** Whether its labels were given, and it is kept for clicks that come later still. @default {false} */
  readonly settled?: boolean;
  /** Event time of the impression. */
  readonly time: number;
  /** Event time at which open labels become 0. */
  readonly deadline: number;
  /** Running number in the task, which breaks ties of deadlines. */
  readonly sequence: number;
  /** Parameter version that made the predictions. */
  readonly version: number;
  /** Name of the model that made the predictions; absent = the deployment's own. */
  readonly model?: string;
  /** Whether the user had no behaviour before. */
  readonly newUser: boolean;
  /** The experiments that the list was part of; absent = none. */
  readonly exposures?: readonly Exposure[];
  /** Values of the schema's user fields. */
  readonly userFields: readonly (string | null)[];
  /** Values of the schema's context fields. */
  readonly contextFields: readonly (string | null)[];
  /** The behaviours before the impression. */
  readonly history: SampleHistory;
  /** See `Sample.state`. */
  readonly state?: PendingState;
  /** See `Sample.otherStates`. */
  readonly otherStates?: readonly (PendingState & { readonly model: string })[];
  /** The scored items. */
  readonly rows: PendingRows;
}

/** What a list is scored and learnt from beside its behaviours, as models read it. */
export function sampleState(state?: PendingState | null): { readonly state?: SampleState } {
  return state == null ? {} : { state: asRead(state) };
}

function asRead({ from, stored }: PendingState): SampleState {
  return { from, values: stored.floats() };
}

/** The sample of a settled impression. */
export function toSample(user: string, pending: Pending, closedTime: number, catalogue: Catalogue): Sample {
  return {
    request: pending.request,
    user,
    time: pending.time,
    closedTime,
    version: pending.version,
    ...(pending.model === undefined ? {} : { model: pending.model }),
    newUser: pending.newUser,
    ...(pending.exposures === undefined ? {} : { exposures: pending.exposures }),
    history: pending.history,
    ...sampleState(pending.state),
    ...(pending.otherStates === undefined
      ? {}
      : { otherStates: pending.otherStates.map(({ model, ...state }) => ({ model, ...asRead(state) })) }),
    userFields: pending.userFields,
    contextFields: pending.contextFields,
    rows: sampleRows(pending.rows, catalogue),
  };
}

function sampleRows(rows: PendingRows, catalogue: Catalogue): SampleRow[] {
  const { numerics, width } = rows;
  const all: SampleRow[] = [];
  for (let row = 0; row < rows.length; row++) {
    const [reward, team] = [rows.reward(row), rows.team(row)];
    all.push({
      item: catalogue.at(rows.item(row)).id,
      categories: rows.categories(row),
      fields: rows.fields(row),
      numerics: numerics.subarray(row * width, (row + 1) * width),
      offset: rows.offset(row),
      label: rows.label(row) ?? 0,
      position: rows.position(row),
      propensity: rows.propensity(row),
      prediction: 1 / (1 + Math.exp(-rows.logit(row))),
      oracle: rows.oracle(row),
      ...(reward === 0 ? {} : { reward }),
      ...(team === undefined ? {} : { team }),
    });
  }
  return all;
}

/** An entry of a {@linkcode DeadlineQueue}: of an impression, or of an event that waits for one. */
export interface Deadline {
  /** When the impression is settled, or when the event stops waiting: event time. */
  readonly time: number;
  /** Running number of the impression. */
  readonly sequence: number;
  /** Whose impression it is. */
  readonly user: string;
  /** Id of the request or impression; `null` = an event waits. */
  readonly request: string | null;
}

/** A binary heap of deadlines: earliest first, then by sequence number. O(log n) a push or pop. */
export class DeadlineQueue {
  readonly #heap: Deadline[] = [];

  /** Number of entries. */
  get size(): number {
    return this.#heap.length;
  }

  /** The earliest entry. */
  peek(): Deadline | undefined {
    return this.#heap[0];
  }

  /** Adds an entry. */
  push(entry: Deadline): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!earlier(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes the earliest entry out. */
  pop(): Deadline | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child++;
      if (!earlier(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function earlier(a: Deadline, b: Deadline): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}
