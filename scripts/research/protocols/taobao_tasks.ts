/**
 * P3, sampling: two hours of Taobao behaviour as a ranking task.
 *
 * A task is a page view of a user with an earlier event: its item against 4 sampled ones. Negatives come from
 * the (up to) 10,000 events *after* the task's, uniformly; an event of the same user, or one whose item is in
 * the task already, is drawn again. The last 1,000 events give no task.
 *
 * ```text
 * … events before: features only │ task's event t │ t+1 … t+10,000: negatives │ …
 * ```
 *
 * Events *before* the task would not do: three quarters of the positives are items never seen before, while
 * every sampled negative would be an old one, and "has it been seen?" alone would win.
 */

import { BEHAVIOR_COLUMNS, parseBehavior } from "../../../src/adapters/taobao.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { readCsv } from "../../../streams/sources/csv.ts";

/** One event of the stream. */
export interface Behavior {
  readonly user: string;
  readonly item: string;
  readonly category: string;
  /** `view`, `cart`, `like` or `purchase`. */
  readonly action: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** An item to be found among others. */
export interface RankingTask {
  /** Index of the task's event. */
  readonly event: number;
  /** Items, the positive one first. */
  readonly items: readonly string[];
}

/** Items of a task. */
export const TASK_SIZE = 5;

const WINDOW_EVENTS = 10_000;
const LAST_EVENTS = 1000;
const MOST_DRAWS = 1000;
/** Part of the protocol: another seed makes another benchmark. */
const SAMPLING_SEED = 1;

/** Reads the stream. @throws SyntaxError at the first malformed row, since a benchmark must not lose rows silently */
export async function readBehaviors(path: string): Promise<readonly Behavior[]> {
  const behaviors: Behavior[] = [];
  for await (const read of readCsv(path, { columns: BEHAVIOR_COLUMNS })) {
    if (!read.ok) throw new SyntaxError(`${path}:${read.line.number}: ${read.rejected.reason}`);
    const { item, event } = parseBehavior(read.row);
    const { user, action, time } = event;
    behaviors.push({ user, item: item.item, category: item.category ?? "", action, time });
  }
  return behaviors;
}

/** The tasks of a stream in the order of time, with one generator for all draws. */
export function* rankingTasks(behaviors: readonly Behavior[]): Generator<RankingTask> {
  const random = mulberry32(SAMPLING_SEED);
  const known = new Set<string>();
  for (let event = 0; event < behaviors.length; event++) {
    const { user, item, action } = behaviors[event]!;
    if (action === "view" && known.has(user) && event < behaviors.length - LAST_EVENTS) {
      const window = Math.min(WINDOW_EVENTS, behaviors.length - 1 - event);
      const items = [item];
      for (let draws = 0; items.length < TASK_SIZE && draws < MOST_DRAWS; draws++) {
        const drawn = behaviors[event + 1 + Math.floor(random() * window)]!;
        if (drawn.user !== user && !items.includes(drawn.item)) items.push(drawn.item);
      }
      if (items.length === TASK_SIZE) yield { event, items };
    }
    known.add(user);
  }
}
