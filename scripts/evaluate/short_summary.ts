/** How good lists would have been, in three lines, after a replay of behaviours without lists. */

import type { Config } from "../../streams/config/config.ts";
import { formatCount } from "../../streams/report/format.ts";
import { CoVisits } from "./baselines/co_visits.ts";
import { Popularity } from "./baselines/popularity.ts";
import { nextItem } from "./next_item.ts";
import { fixed, verdict } from "./next_item_report.ts";
import type { Stream } from "./stream.ts";
import { type Standing, standingsOf } from "./summary.ts";

const DAY_MS = 86_400_000;
/** Most behaviours that are judged, and that are read: some ten seconds. */
const QUERIES = 2000;
const BEHAVIOURS = 100_000;
const COUNT = 20;

/** The figures of a short evaluation of a stream. */
export interface ShortSummary {
  /** Behaviours that were learnt, and those that were judged first. */
  readonly behaviours: number;
  readonly judged: number;
  /** Figures of the ranking and of two plain methods. */
  readonly standings: readonly Standing[];
}

/** Judges retrieval on a sample of the behaviours of a stream. @throws NothingToJudge */
export async function shortSummary(
  stream: Stream,
  { config, limit = Infinity, seed }: {
    readonly config: Config;
    readonly limit?: number;
    readonly seed: number;
  },
): Promise<ShortSummary> {
  const { judgements, survey, interactions } = await nextItem({
    stream,
    config: { ...config, ranking: "blend" },
    seed,
    count: COUNT,
    queries: QUERIES,
    limit: Math.min(limit, BEHAVIOURS),
    sources: false,
    sorts: false,
    baselines: [new Popularity("popular, 1 day", DAY_MS), new CoVisits()],
  });
  const standings = standingsOf(judgements, judgements.where(() => true), survey.items);
  return { behaviours: interactions, judged: judgements.length, standings };
}

/** Renders a summary as lines. */
export function renderShort({ behaviours, judged, standings }: ShortSummary): readonly string[] {
  return [
    `The next item: ${formatCount(judged)} of the first ${formatCount(behaviours)} behaviours ` +
    "judged before they were learnt",
    ...standings.map(({ method, hitRate, reciprocalRank, behind }) =>
      `  ${method.padEnd(16)}HR@${COUNT} ${fixed(hitRate.mean)} ±${fixed(hitRate.margin)}   ` +
      `MRR@${COUNT} ${fixed(reciprocalRank.mean)} ±${fixed(reciprocalRank.margin)}   ` +
      verdict(behind?.reciprocalRank ?? null)
    ).map((line) => line.trimEnd()),
    "  for details: deno task meander evaluate --protocol next-item",
  ];
}
