/** The options of a task. */

import {
  absent,
  choice,
  count,
  flag,
  group,
  natural,
  type OptionsOf,
  reaches,
  settle,
  share,
} from "../options/option.ts";
import type { Boost } from "../events/event.ts";
import { type ActionPolicies, DEFAULT_ACTIONS } from "../features/actions.ts";
import type { FeatureSchema } from "../features/schema.ts";
import { RETRIEVAL_OPTIONS, type RetrievalOptions } from "../retrieval/retrieval_options.ts";
import type { CandidateOrder } from "../scorer/ordering.ts";
import type { PolicyOptions } from "../draws/policy.ts";
import { LABEL_POLICIES, type LabelPolicy } from "../users/pending/label_policy.ts";
import { SEQUENCE_OPTIONS, type SequenceOptions } from "../users/states/sequence.ts";
import type { FrequencyOptions } from "../users/shown_items.ts";
import { modelsThat } from "../nn/models/registry.ts";
import { USER_LISTS, type UserListsOptions } from "./user_lists.ts";

/** Default bound, in a service, for items known from events only, per partition: some 500 MB. */
export const SERVICE_UNLISTED_ITEMS = 200_000;
/** Default of `maxOpenItems` in a service: about 1 GB with 31 numeric features. */
export const SERVICE_OPEN_ITEMS = 5_000_000;

/** Options of a `TaskState`. */
export interface TaskOptions {
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  /** What each action means. @default {DEFAULT_ACTIONS} */
  readonly actions?: ActionPolicies | undefined;
  /** Sizes of the behaviour sequences. */
  readonly sequence?: SequenceOptions | undefined;
  /** How long after an impression an outcome counts, milliseconds of event time. @default {600000} */
  readonly outcomeWindowMs?: number | undefined;
  /** How far behind the newest event time an event may be, milliseconds. @default {300000} */
  readonly allowedLatenessMs?: number | undefined;
  /**
   * How far an event without an arrival time may move the clock ahead, milliseconds; see `EventClock`. A replay, where
   * a quiet night is not a wrong clock, uses a day.
   *
   * @default {allowedLatenessMs, at least a minute}
   */
  readonly maxJumpMs?: number | undefined;
  /**
   * What counts as shown: each recommendation (`served`), or only lists in impression events (`logged`, for replays of
   * another system's log). @default {"served"}
   */
  readonly impressions?: "served" | "logged" | undefined;
  /** When impressions become labels; see docs/explanation/join-and-labels.md. @default {"window"} */
  readonly labelPolicy?: LabelPolicy | undefined;
  /**
   * How long after its window an impression is kept for late clicks, milliseconds of event time, if the label policy
   * uses them. @default {3600000}
   */
  readonly lateOutcomeMs?: number | undefined;
  /** Share of the wanted behaviours that the bank learns from, whoever showed the items, in [0, 1]. @default {0} */
  readonly learnNext?: number | undefined;
  /** Newest event ids kept per user for de-duplication. @default {32} */
  readonly dedupIds?: number | undefined;
  /** How a list is chosen from the scores. @default {{ name: "greedy" }} */
  readonly policy?: PolicyOptions | undefined;
  /** What orders retrieved candidates. @default {"auto"} */
  readonly ranking?: CandidateOrder | undefined;
  /** Rules that raise or lower items, for every request. @default {[]} */
  readonly boosts?: readonly Boost[] | undefined;
  /** How often the same item may be shown. @default {no limit} */
  readonly frequency?: FrequencyOptions | undefined;
  /** Lists of users that are written whenever they change. @default {none} */
  readonly userLists?: UserListsOptions | null | undefined;
  /** Where candidates come from when a request names none. */
  readonly retrieval?: RetrievalOptions | undefined;
  /**
   * Most items that are known from events only, not from the catalogue; each takes some KB permanently. About half of
   * what is left can be taken at once, see `items/room.ts`. Events that name a further item are rejected, and such
   * candidates left out. @default {Infinity}
   */
  readonly maxUnlistedItems?: number | undefined;
  /**
   * Most items in open lists. Beyond that, answers open no list; beyond half of it, impressions of other systems' lists
   * are rejected. @default {Infinity}
   */
  readonly maxOpenItems?: number | undefined;
  /** Versions that a windowed state may be behind before it is folded again. @default {100} */
  readonly maxStaleVersions?: number | undefined;
  /** Whether the state of a lifelong model covers a user's whole life, not only the window. @default {true} */
  readonly lifelong?: boolean | undefined;
  /** Whether recommendations hold the candidates that were not chosen, for off-policy evaluation. @default {false} */
  readonly logCandidates?: boolean | undefined;
  /** Seed of exploration. @default {0} */
  readonly seed?: number | undefined;
  /** A monotonic clock, microseconds, for `tookMicros`. @default {() => 0} */
  readonly nowMicros?: () => number;
}

/** The options of {@linkcode TaskOptions} that are numbers, words, or parts with options of their own. */
export const TASK_OPTIONS = {
  sequence: reaches("onward", group(SEQUENCE_OPTIONS)),
  outcomeWindowMs: reaches("onward", natural(600_000, "how long after an impression an outcome counts")),
  allowedLatenessMs: reaches(
    "onward",
    natural(300_000, "how far behind the newest event time an event may be"),
  ),
  impressions: reaches(
    "onward",
    choice<"served" | "logged">(
      ["served", "logged"],
      absent('`"served"`; `"logged"` in the profiles of a replay', "served"),
      "what counts as shown: each answer, or only lists in impression events; see [join and labels](../explanation/join-and-labels.md)",
    ),
  ),
  labelPolicy: reaches(
    "onward",
    choice(
      LABEL_POLICIES,
      "window",
      "when impressions become labels; see [join and labels](../explanation/join-and-labels.md#labels-that-come-late)",
    ),
  ),
  lateOutcomeMs: reaches(
    "onward",
    natural(
      3_600_000,
      "with a `labelPolicy` other than `window`: how long after its window an impression is remembered for late clicks",
    ),
  ),
  learnNext: reaches(
    "onward",
    share(
      0,
      "share of the wanted behaviours that the bank learns from; 0 = no bank; see [retrieval](../explanation/retrieval.md#the-bank)",
    ),
  ),
  dedupIds: reaches("onward", count(32, "newest event ids remembered per user")),
  logCandidates: reaches(
    "onward",
    flag(
      false,
      "whether answers contain the candidates that were not chosen, for evaluating other policies",
    ),
  ),
  ranking: reaches(
    "at-once",
    choice(
      ["auto", "model", "blend", "both"],
      "auto",
      "what orders retrieved candidates; see [retrieval](../explanation/retrieval.md#the-blend)",
    ),
  ),
  retrieval: reaches("onward", group(RETRIEVAL_OPTIONS)),
  userLists: reaches(
    "onward",
    USER_LISTS,
  ),
  maxUnlistedItems: reaches(
    "at-once",
    natural(
      absent(`${SERVICE_UNLISTED_ITEMS}; none in a replay`, Infinity),
      "most items per partition that events name but the topic `items` does not; an event with a further one is rejected, a " +
        "candidate left out",
    ),
  ),
  maxOpenItems: reaches(
    "at-once",
    natural(
      absent(`${SERVICE_OPEN_ITEMS}; none in a replay`, Infinity),
      "most items per partition in lists whose outcome is open; from half of it on, lists of other systems are rejected, " +
        "from all of it on, answers make no samples",
    ),
  ),
  maxStaleVersions: reaches(
    "at-once",
    natural(100, "how many versions a recurrent state may be behind before it is computed again"),
  ),
  lifelong: reaches(
    "onward",
    flag(
      true,
      `whether ${modelsThat((has) => has.lifelong)} remembers a user's whole life, not only the window`,
    ),
  ),
} satisfies OptionsOf<
  Omit<
    TaskOptions,
    "schema" | "actions" | "maxJumpMs" | "policy" | "boosts" | "frequency" | "seed" | "nowMicros"
  >
>;

export const DEFAULT_POLICY: PolicyOptions = { name: "greedy" };

/** Options of a task with all defaults filled in. */
export type TaskSettings =
  & {
    readonly [K in Exclude<keyof TaskOptions, "schema" | "maxJumpMs" | "frequency">]-?: Exclude<
      TaskOptions[K],
      undefined
    >;
  }
  & { readonly frequency: FrequencyOptions | null };

export function taskSettings(options: TaskOptions): TaskSettings {
  return {
    ...settle(TASK_OPTIONS, options),
    actions: options.actions ?? DEFAULT_ACTIONS,
    policy: options.policy ?? DEFAULT_POLICY,
    boosts: options.boosts ?? [],
    frequency: options.frequency ?? null,
    seed: options.seed ?? 0,
    nowMicros: options.nowMicros ?? (() => 0),
  };
}
