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
 * model would expect too many.
 *
 * @module
 */

import type { Exposure } from "../../assignment/exposure.ts";
import type { ListFeatures, Sample, SampleState } from "../../samples/sample.ts";
import type { StoredState } from "../states/stored_state.ts";

/** The state that a list's history continues from; impressions share it. */
export interface PendingState {
  /** How many of the history's behaviours are in it. */
  readonly from: number;
  readonly stored: StoredState;
}

/** A list that was shown, or recommended and perhaps shown, and waits for its outcome. */
export interface Pending extends Omit<ListFeatures, "user" | "state"> {
  /** Id of the request or impression. */
  readonly request: string;
  /** Whether it was shown; a recommendation that was never confirmed as shown makes no sample. */
  readonly shown: boolean;
  /** Whether it is our answer to a request, rather than a list of another system. @default {false} */
  readonly recommended?: boolean | undefined;
  /** Whether its labels are given, and it is kept for late clicks only. @default {false} */
  readonly settled?: boolean | undefined;
  /** Event time at which open labels become 0. */
  readonly deadline: number;
  /** Running number in the task, which breaks ties of deadlines. */
  readonly sequence: number;
  /** Parameter version that made the predictions. */
  readonly version: number;
  /** Name of the model that made the predictions. @default {the deployment's own} */
  readonly model?: string | undefined;
  /** Whether the user had no behaviour before. */
  readonly newUser: boolean;
  /** The experiments that the list was part of. @default {none} */
  readonly exposures?: readonly Exposure[] | undefined;
  /** See `Sample.state`. */
  readonly state?: PendingState | undefined;
  /** See `Sample.otherStates`. */
  readonly otherStates?: readonly (PendingState & { readonly model: string })[] | undefined;
}

/** A state as models read it. */
export function sampleState({ from, stored }: PendingState): SampleState {
  return { from, values: stored.floats() };
}

/** The sample of an impression, which shares its rows; open ones count as negative. */
export function toSample(user: string, pending: Pending, closedTime: number): Sample {
  const { request, time, version, model, newUser, exposures, history, userFields, contextFields, rows } =
    pending;
  return {
    request,
    user,
    time,
    closedTime,
    version,
    model,
    newUser,
    exposures,
    history,
    state: pending.state && sampleState(pending.state),
    otherStates: pending.otherStates?.map(({ model, ...state }) => ({ model, ...sampleState(state) })),
    userFields,
    contextFields,
    rows,
  };
}

/** An entry of a {@linkcode DeadlineQueue}: of an impression, or of an event that waits for one. */
export interface Deadline {
  /** When the impression is settled, or when the event stops waiting: event time. */
  readonly time: number;
  /** Running number of the impression. */
  readonly sequence: number;
  readonly user: string;
  /** Id of the request or impression; `null` = an event waits. */
  readonly request: string | null;
}

/** A binary heap of deadlines: earliest first, then by sequence number. O(log n) per push or pop. */
export class DeadlineQueue {
  readonly #heap: Deadline[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest entry. */
  peek(): Deadline | undefined {
    return this.#heap[0];
  }

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

  /** Removes and returns the earliest entry. */
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
