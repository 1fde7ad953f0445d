/** Reads a file of single logged choices, such as Open Bandit, for off-policy evaluation. */

import type { ImpressionEvent } from "../../src/events/event.ts";
import type { LoggedList } from "../../src/experiments/off_policy.ts";
import type { SourceRecord } from "../sources/source.ts";
import type { TablePolicy } from "./target_policy.ts";

/** Pseudo-rows at the overall click rate that an item's rate starts with. */
const SMOOTHING = 100;

export interface BanditLog {
  /** A one-place list per row, in order; every row is its own unit because users are anonymous. */
  readonly lists: readonly LoggedList[];
  /** Number of distinct items. */
  readonly items: number;
  /** Number of rejected rows. */
  readonly rejected: number;
}

interface Choice {
  readonly request: string;
  readonly item: string;
  readonly place: number;
  readonly logged: number;
}

/**
 * Reads a log whose impressions show one item each and carry its propensity.
 *
 * The reward model of DR is the item's smoothed click rate over the other half of the rows (even or odd), so that no
 * row predicts itself.
 *
 * @throws SyntaxError when an impression has no propensity or several items.
 */
export async function readBanditLog(
  source: AsyncIterable<SourceRecord>,
  policy: TablePolicy,
): Promise<BanditLog> {
  const [choices, clicked]: [Choice[], Set<string>] = [[], new Set()];
  let rejected = 0;
  for await (const record of source) {
    if (record.kind === "rejected") rejected++;
    if (record.kind !== "event") continue;
    const { event } = record;
    if (event.type === "impression") choices.push(choiceOf(event, choices.length));
    else if (event.type === "interaction" && event.request !== undefined) clicked.add(event.request);
  }
  const items = [...new Set(choices.map(({ item }) => item))];
  const probability = tableOf(policy, items);
  const halves = [0, 1].map((half) => rates(choices.filter((_, row) => row % 2 === half), clicked));
  // Expected rewards depend only on place and half.
  const expected = new Map<string, number>();
  const lists = choices.map(({ request, item, place, logged }, row): LoggedList => {
    const rate = halves[1 - row % 2]!;
    const key = `${row % 2}:${place}`;
    let value = expected.get(key);
    if (value === undefined) {
      value = items.reduce((sum, item) => sum + probability(item, place) * rate(item), 0);
      expected.set(key, value);
    }
    return {
      unit: request,
      places: [{
        target: probability(item, place),
        logged,
        reward: clicked.has(request) ? 1 : 0,
        predicted: rate(item),
        expected: value,
      }],
    };
  });
  return { lists, items: items.length, rejected };
}

function choiceOf({ request, items, positions, propensities }: ImpressionEvent, row: number): Choice {
  const [item, propensity] = [items[0], propensities?.[0]];
  if (items.length !== 1 || item === undefined || propensity === undefined) {
    throw new SyntaxError(
      `Cannot evaluate on impression ${
        request ?? row
      }: expected one item with its propensity, got ${items.length} items`,
    );
  }
  return { request: request ?? `row ${row}`, item, place: positions?.[0] ?? 0, logged: propensity };
}

function tableOf(policy: TablePolicy, items: readonly string[]): (item: string, place: number) => number {
  if (policy.name === "uniform") return () => 1 / items.length;
  return (item, place) => policy.propensities[item]?.[place] ?? 0;
}

function rates(choices: readonly Choice[], clicked: ReadonlySet<string>): (item: string) => number {
  const counts = new Map<string, { rows: number; clicks: number }>();
  let clicks = 0;
  for (const { item, request } of choices) {
    const click = clicked.has(request) ? 1 : 0;
    const count = counts.get(item) ?? { rows: 0, clicks: 0 };
    count.rows++;
    count.clicks += click;
    clicks += click;
    counts.set(item, count);
  }
  const overall = clicks / Math.max(1, choices.length);
  return (item) => {
    const { rows, clicks } = counts.get(item) ?? { rows: 0, clicks: 0 };
    return (clicks + SMOOTHING * overall) / (rows + SMOOTHING);
  };
}
