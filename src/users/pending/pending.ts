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
 * emitted at once. If all were merely clicked, it waits for the deadline: if clicks were learnt sooner than their
 * absence, the model would expect too many.
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

/**
 * The stage of a list. `unconfirmed`: recommended, makes no sample until an impression event says that it was shown.
 * `open`: shown, waits for its outcome. `settled`: its labels are final, and it is kept for late clicks only.
 *
 * ```text
 *   recommended ──▶ unconfirmed ── impression ──▶ open ── deadline ──▶ settled ── late clicks end ──▶ gone
 *                        └── deadline ──▶ gone    ▲  └── deadline, without late clicks ──▶ gone
 *   shown ────────────────────────────────────────┘
 * ```
 */
export type ListStage = "unconfirmed" | "open" | "settled";

/** A list that was shown, or recommended and perhaps shown, and waits for its outcome. */
export interface Pending extends Omit<ListFeatures, "user" | "state"> {
  /** Id of the request or impression. */
  readonly request: string;
  readonly stage: ListStage;
  /** Whether it is our answer to a request, rather than a list of another system. @default {false} */
  readonly recommended?: boolean | undefined;
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

/** Whether a list counts as shown. */
export function isShown({ stage }: Pick<Pending, "stage">): boolean {
  return stage !== "unconfirmed";
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
