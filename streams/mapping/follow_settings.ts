/** How `run` follows the topic of a source. */

import {
  absent,
  count,
  list,
  natural,
  type OptionsOf,
  orAbsent,
  text,
  wanted,
} from "../../src/options/option.ts";
import { START_WORDS } from "./start.ts";

/** How the topic of a source is followed. */
export interface FollowSettings {
  /** Name of the topic. */
  readonly topic?: string | undefined;
  /** Brokers that have it, as `host:port`. @default {those of the log, or of `kafka`} */
  readonly brokers?: readonly string[] | undefined;
  /** Where to begin when it was never followed, in the syntax of `parseStart`. @default {"earliest"} */
  readonly start?: string | undefined;
  /** How long records of other partitions and sources wait for its own, milliseconds. @default {0} */
  readonly waitMs?: number | undefined;
  /** How much older than the newest of the source an event may be, milliseconds. @default {any} */
  readonly lateMs?: number | undefined;
}

export const FOLLOW_OPTIONS = {
  topic: wanted(text("", "a topic for `run` to follow; its records may have any keys")),
  brokers: {
    ...orAbsent(
      list(
        text<string>("", ""),
        { minimum: 1 },
        "brokers of its cluster; all other settings are those of `kafka`",
      ),
    ),
    words: "those of the log, or of `kafka`",
  },
  start: text<string>("earliest", `where to start in a topic that was never followed: ${START_WORDS}`),
  waitMs: natural(
    0,
    "how long, from their arrival, records of other sources wait for this one when a partition of it has been read to its end",
  ),
  lateMs: count(
    absent<number | undefined>("any age", undefined),
    "events are rejected if they are older than the newest event of the source by more than this",
  ),
} satisfies OptionsOf<FollowSettings>;
