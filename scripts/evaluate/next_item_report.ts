/**
 * `deno task meander evaluate --protocol next-item`: runs the protocol and prints its table.
 *
 * @module
 */

import { print } from "../flags/command_line.ts";
import { nextItem, type NextItemOptions, type NextItemResult, type Query } from "./next_item.ts";

/** Interactions of MovieLens 100K on which hyper-parameters may be picked; the rest is held out. */
const TUNING = 45_000;
/** The first interaction of the last fifth of its positives, and how many of these a live Gorse answered. */
const LAST_FIFTH = 80_487;
const GORSE_QUERIES = 4301;

/** A line of the table. */
export interface Figure {
  /** Which queries. */
  readonly queries: string;
  /** How many. */
  readonly count: number;
  /** Share of the queries whose item is in the list. */
  readonly hitRate: number;
  /** Mean of 1/rank, 0 where it is not in the list. */
  readonly reciprocalRank: number;
}

/** Runs the protocol. @returns The exit code. */
export async function reportNextItem(options: NextItemOptions, json: string | undefined): Promise<number> {
  const result = await nextItem({
    ...options,
    onProgress: (done, of, queries) => {
      const { hitRate, reciprocalRank } = figureOf("so far", queries);
      const text = `HR@20 ${hitRate.toFixed(4)} MRR@20 ${reciprocalRank.toFixed(4)}`;
      print(Deno.stderr, `\r${done} of ${of} behaviours, ${text} `);
    },
  });
  print(Deno.stderr, "\n");
  const figures = figuresOf(options.format, result);
  const speed = {
    requests: result.queries.length / result.cpuSeconds.requests,
    behaviours: result.interactions / result.cpuSeconds.behaviours,
  };
  print(Deno.stdout, render(figures));
  const perSecond = (value: number) => Math.round(value).toLocaleString("en");
  print(
    Deno.stdout,
    `${perSecond(speed.requests)} requests and ${
      perSecond(speed.behaviours)
    } behaviours a second of processor time\n`,
  );
  const blend = weights(result);
  print(
    Deno.stdout,
    `blend: ${Object.entries(blend).map(([name, w]) => `${name} ${w.toFixed(2)}`).join(", ")}\n`,
  );
  if (json !== undefined) {
    await Deno.writeTextFile(json, `${JSON.stringify({ options, figures, speed, blend }, null, 2)}\n`);
  }
  return 0;
}

/** The lines of a table. */
export function figuresOf(format: NextItemOptions["format"], { queries }: NextItemResult): Figure[] {
  const gorse = queries.filter(({ at }) => at >= LAST_FIFTH).slice(0, GORSE_QUERIES);
  const parts: [string, readonly Query[]][] = format === "ml-100k"
    ? [
      ["all", queries],
      ["tuning, events below 45,000", queries.filter(({ at }) => at < TUNING)],
      ["held out", queries.filter(({ at }) => at >= TUNING)],
      ["last fifth, first 4,301", gorse],
    ]
    : [
      ["all", queries],
      ["second half", queries.slice(queries.length >> 1)],
      ["own before", queries.filter(({ own }) => own)],
      ["reachable and new", queries.filter(({ own, impossible }) => !own && !impossible)],
    ];
  parts.push(["impossible", queries.filter(({ impossible }) => impossible)]);
  return parts.filter(([, part]) => part.length > 0).map(([name, part]) => figureOf(name, part));
}

function figureOf(queries: string, of: readonly Query[]): Figure {
  return {
    queries,
    count: of.length,
    hitRate: of.filter(({ rank }) => rank > 0).length / of.length,
    reciprocalRank: of.reduce((sum, { rank }) => sum + (rank > 0 ? 1 / rank : 0), 0) / of.length,
  };
}

function weights({ task }: NextItemResult): Record<string, number> {
  const { names, weights } = task.retrieval.state.blend;
  return Object.fromEntries(names.map((name, f) => [name, weights[f]!]));
}

function render(figures: readonly Figure[]): string {
  const lines = figures.map(({ queries, count, hitRate, reciprocalRank }) =>
    `${queries.padEnd(30)}${String(count).padStart(8)}${hitRate.toFixed(4).padStart(9)}${
      reciprocalRank.toFixed(4).padStart(9)
    }`
  );
  return [
    `${"queries".padEnd(30)}${"number".padStart(8)}${"HR@20".padStart(9)}${"MRR@20".padStart(9)}`,
    ...lines,
    "",
  ]
    .join("\n");
}
