/** `deno task meander evaluate --protocol next-item`: runs the protocol and prints its tables. */

import type { Estimate } from "../../src/metrics/clustered_mean.ts";
import { formatCount, formatPercent } from "../../streams/report/format.ts";
import { Progress } from "../../streams/report/progress.ts";
import { makeRoomFor, print } from "../flags/command_line.ts";
import type { Judgements } from "./judgements.ts";
import { nextItem, type NextItemOptions, type NextItemResult } from "./next_item.ts";
import { type Figures, figuresOf, type Part, partsOf, type Standing, standingsOf } from "./summary.ts";

/** Everything that is printed; also the JSON output. */
export interface NextItemReport {
  readonly stream: string;
  readonly behaviours: number;
  readonly users: number;
  readonly items: number;
  /** Behaviours of the kinds that are judged, and those that were judged. */
  readonly targets: number;
  readonly judged: number;
  /** Shares of the judged behaviours: no user had touched the item before; the user had it before. */
  readonly impossible: number;
  readonly returns: number;
  /** Largest share of the judged behaviours that belongs to one user. */
  readonly ofOneUser: number;
  readonly withoutOwn: boolean;
  /** First behaviour of the later part. */
  readonly from: number;
  readonly all: readonly Standing[];
  readonly later: readonly Standing[];
  readonly parts: Readonly<Record<string, readonly Part[]>>;
  /** Per second of processor time. */
  readonly speed: { readonly requests: number; readonly behaviours: number };
  /** Shared weights of the blend at the end. */
  readonly blend: Readonly<Record<string, number>>;
  /** Weights for items that the user had. */
  readonly blendOfOwn: Readonly<Record<string, number>>;
}

/** Largest share of one user in the judged behaviours without a note: intervals come from differences between users. */
const MUCH = 0.2;

/** Runs the protocol and prints the result. @param from where the later part begins (default: the middle) */
export async function reportNextItem(
  options: NextItemOptions,
  { json, from }: { readonly json: string | undefined; readonly from?: number | undefined },
): Promise<number> {
  if (json !== undefined) await makeRoomFor(json);
  const count = options.count ?? 20;
  const result = await runNextItem(options, count);
  const report = reportOf(options, result, from);
  print(Deno.stdout, render(report, result, count));
  if (json !== undefined) {
    const { stream, onProgress: _, ...plain } = options;
    const text = JSON.stringify({ options: { ...plain, data: stream.name }, ...report }, null, 2);
    await Deno.writeTextFile(json, `${text}\n`);
  }
  return 0;
}

/** Runs the protocol, with progress on standard error. */
export async function runNextItem(options: NextItemOptions, count: number): Promise<NextItemResult> {
  using progress = new Progress({
    unit: "behaviours",
    isTerminal: Deno.stderr.isTerminal(),
    now: () => performance.now(),
  });
  return await nextItem({
    ...options,
    onProgress: (done, total, judgements) =>
      progress.update({ done, total, figures: () => shortFigures(judgements, count) }),
  });
}

function shortFigures(judgements: Judgements, count: number): string {
  if (judgements.length === 0) return "";
  const { hitRate, reciprocalRank } = figuresOf(judgements, 0, judgements.where(() => true));
  return `HR@${count} ${fixed(hitRate.mean)}, MRR@${count} ${fixed(reciprocalRank.mean)}`;
}

/** The figures of a run. */
export function reportOf(options: NextItemOptions, result: NextItemResult, from?: number): NextItemReport {
  const { judgements, survey, interactions, cpuSeconds, task, withoutOwn } = result;
  const all = judgements.where(() => true);
  const start = from ?? Math.floor(interactions / 2);
  const share = (condition: Parameters<typeof judgements.where>[0]) =>
    judgements.where(condition).length / all.length;
  const { names, weights, returnWeights } = task.retrieval.ordering.blend;
  return {
    stream: options.stream.name,
    behaviours: interactions,
    users: survey.users,
    items: survey.items,
    targets: survey.targets,
    judged: all.length,
    impossible: share(({ itemAge }) => itemAge === 0),
    returns: share(({ isReturn }) => isReturn),
    ofOneUser: largestShare(Array.from(all, (query) => judgements.judged(query).user)),
    withoutOwn,
    from: start,
    all: standingsOf(judgements, all, survey.items),
    later: standingsOf(judgements, judgements.where(({ at }) => at >= start), survey.items),
    parts: partsOf(judgements, interactions),
    speed: {
      requests: all.length / cpuSeconds.requests,
      behaviours: interactions / cpuSeconds.behaviours,
    },
    blend: Object.fromEntries(names.map((name, f) => [name, weights[f]!])),
    blendOfOwn: Object.fromEntries(names.map((name, f) => [name, returnWeights[f]!])),
  };
}

function largestShare(users: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const user of users) counts.set(user, (counts.get(user) ?? 0) + 1);
  return counts.values().reduce((most, count) => Math.max(most, count), 0) / users.length;
}

function render(report: NextItemReport, { survey }: NextItemResult, count: number): string {
  const { behaviours, users, items, targets, judged, returns, impossible, withoutOwn, from } = report;
  const notes = [
    `${report.stream}: ${formatCount(behaviours)} behaviours of ${formatCount(users)} users with ` +
    `${formatCount(items)} items`,
    `${formatCount(judged)}${judged < targets ? ` of ${formatCount(targets)}` : ""} behaviours judged; ` +
    `${formatPercent(impossible)} are the first with their item, so no method could predict them`,
    withoutOwn
      ? `lists leave out items that the user already had${
        returns > 0 ? `: ${formatPercent(returns)} of the behaviours judged were with such items` : ""
      }`
      : `lists may contain items that the user already had: ${
        formatPercent(returns)
      } of the behaviours judged were with such items`,
  ];
  if (from >= behaviours) {
    notes.push(`no later part: it would begin at behaviour ${formatCount(from)} (--from)`);
  }
  if (report.ofOneUser > MUCH) {
    notes.push(
      `${
        formatPercent(report.ofOneUser)
      } of the judged behaviours belong to one user, so intervals are wide or ` +
        "unknown (?)",
    );
  }
  if (survey.rejected > 0) {
    notes.push(`${formatCount(survey.rejected)} records could not be read and were left out`);
  }
  if (survey.unordered > 0) notes.push("the events were sorted by time first, as `ingest --sort` does");
  if (survey.unknown.size > 0) {
    const named = [...survey.unknown].map(([action, n]) => `${action} (${formatCount(n)})`).slice(0, 8);
    notes.push(`left out because the configuration does not name their action: ${named.join(", ")}`);
  }
  const perSecond = (value: number) => formatCount(Math.round(value));
  return [
    ...notes,
    "",
    ...board(`all ${formatCount(judged)}`, report.all, count),
    "",
    ...(from < behaviours
      ? [...board(`from behaviour ${formatCount(from)} on`, report.later, count), ""]
      : []),
    ...Object.entries(report.parts).flatMap(([title, parts]) => [...partTable(title, parts, count), ""]),
    `${perSecond(report.speed.requests)} requests and ${
      perSecond(report.speed.behaviours)
    } behaviours per second of ` +
    `processor time`,
    `blend: ${weightsText(report.blend)}`,
    ...(withoutOwn ? [] : [`blend for items that the user had: ${weightsText(report.blendOfOwn)}`]),
    "",
  ].join("\n");
}

function weightsText(weights: Readonly<Record<string, number>>): string {
  return Object.entries(weights).map(([name, weight]) => `${name} ${weight.toFixed(2)}`).join(", ");
}

const WIDE = 24;

export function board(title: string, standings: readonly Standing[], count: number): string[] {
  const head = title.padEnd(WIDE) +
    [`HR@${count}`, `MRR@${count}`, `NDCG@${count}`].map((name) => name.padStart(17)).join("") +
    "coverage".padStart(10) + "novelty".padStart(9) +
    `  against ${standings.find(({ behind }) => behind === null)?.method}, MRR`;
  return [
    head,
    ...standings.map(({ method, behind, coverage, novelty, ...figures }) =>
      method.padEnd(WIDE) + cells(figures) + formatPercent(coverage).padStart(10) +
      fixed(novelty, 2).padStart(9) +
      `  ${verdict(behind?.reciprocalRank ?? null)}`
    ),
  ];
}

/** What a difference means, given its interval. */
export function verdict(behind: Estimate | null): string {
  if (behind === null) return "";
  const { mean, margin } = behind;
  if (!(Math.abs(mean) > margin)) return "no difference";
  return `${mean > 0 ? "behind" : "ahead"} by ${fixed(Math.abs(mean))} ±${fixed(margin)}`;
}

function partTable(title: string, parts: readonly Part[], count: number): string[] {
  return [
    title.padEnd(WIDE + 9) +
    [`HR@${count}`, `MRR@${count}`, `NDCG@${count}`].map((name) => name.padStart(17)).join(""),
    ...parts.map(({ name, queries, figures }) =>
      name.padEnd(WIDE) + formatCount(queries).padStart(9) + cells(figures)
    ),
  ];
}

function cells({ hitRate, reciprocalRank, gain }: Figures): string {
  return [hitRate, reciprocalRank, gain].map(({ mean, margin }) =>
    `${fixed(mean)} ±${fixed(margin)}`.padStart(17)
  )
    .join("");
}

/** A number with the given decimals, four by default, or a question mark if it is undefined. */
export function fixed(value: number, digits = 4): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "?";
}
