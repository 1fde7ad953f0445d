/**
 * The streaming benchmark: all methods on all streams that are present, by the rules of docs/reference/protocols.md.
 *
 * @module
 */

import type { Config } from "../../../streams/config/config.ts";
import { makeRoomFor, print } from "../../../scripts/flags/command_line.ts";
import type { NextItemOptions } from "../../../scripts/evaluate/next_item.ts";
import {
  board,
  fixed,
  type NextItemReport,
  reportOf,
  runNextItem,
} from "../../../scripts/evaluate/next_item_report.ts";
import { createBaselines } from "../../../scripts/evaluate/baselines/registry.ts";
import { BENCHMARK_STREAMS } from "./data_sets.ts";
import { pictureOf } from "./picture.ts";
import { Rival } from "./rival.ts";

/** What of it is run. */
export interface StreamsOptions {
  /** The folder with the data sets. */
  readonly folder: string;
  /** Names of streams; absent = all that are present. */
  readonly only?: readonly string[] | undefined;
  /** Runs of each, with seeds from 0. */
  readonly seeds: number;
  /** Most behaviours that a run judges. */
  readonly queries: number;
  /** Most behaviours of a stream. */
  readonly behaviours: number;
  /** Overrides of the streams' profiles, the same for all. @default {none} */
  readonly config?: Config | undefined;
  /** The Python of the neural rivals; absent = without them. */
  readonly python?: string | undefined;
  /** A file for all figures, with the machine and the commit as they are named there; a picture is put beside it. */
  readonly json?: { readonly file: string; readonly machine: string; readonly commit: string } | undefined;
}

/** What `tests/bench/rivals/next_item.py` has, and where. */
const RIVALS = ["gru, PyTorch", "attention, PyTorch", "lru, PyTorch"];
const SCRIPT = new URL("../rivals/next_item.py", import.meta.url).pathname;
/** Length of a list. */
const COUNT = 20;
const WIDE = 24;

/** The figures of a run. */
interface StreamReport extends NextItemReport {
  readonly name: string;
  readonly seed: number;
  /** When the run ended. */
  readonly date: string;
}

/** What a run depends on, besides the stream and its seed. */
interface Settings extends Pick<StreamsOptions, "folder" | "queries" | "behaviours" | "config"> {
  readonly hasRivals: boolean;
  readonly commit: string | undefined;
}

/** A commit without local changes: two trees with changes cannot be told apart. */
const CLEAN = /^[0-9a-f]{40}$/;

/**
 * Runs the benchmark and prints a table per run. Runs that `json.file` already has, of the same commit and settings,
 * are not repeated.
 *
 * @throws RangeError when there is no such stream
 */
export async function runStreams(
  { folder, only, seeds, queries, behaviours: limit, config = {}, python, json }: StreamsOptions,
): Promise<void> {
  const names = BENCHMARK_STREAMS.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`Cannot run ${unknown} as a stream: wanted is one of ${names.join(", ")}`);
  }
  if (json !== undefined) await makeRoomFor(json.file);
  const hasRivals = python !== undefined;
  const settings: Settings = { commit: json?.commit, folder, queries, behaviours: limit, config, hasRivals };
  const reports = json === undefined ? [] : await reportsOf(json.file, settings);
  for (
    const { name, kind, target, withoutOwn, count = COUNT, onRequest = false, open } of BENCHMARK_STREAMS
  ) {
    if (only === undefined ? onRequest : !only.includes(name)) continue;
    const stream = await open(folder).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      print(Deno.stdout, `${name}: left out, ${folder} does not have it\n\n`);
      return null;
    });
    if (stream === null) continue;
    const begun = performance.now();
    const own: StreamReport[] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const retrieval = { ...(config.retrieval ?? stream.profile.retrieval), revisits: !withoutOwn };
      const options = {
        stream,
        config: { ...config, retrieval },
        seed,
        queries,
        count,
        withoutOwn,
        limit: onRequest ? undefined : limit,
      };
      const known = reports.find((one) => one.name === name && one.seed === seed);
      const report = known ??
        { name, seed, ...await run(options, count, python), date: new Date().toISOString() };
      if (known === undefined) reports.push(report);
      own.push(report);
      const { behaviours, users, items, judged } = report;
      const facts = `${behaviours} behaviours, ${users} users, ${items} items, ${judged} judged`;
      const lines = [
        `${name}, seed ${seed}: ${kind}; ${facts}`,
        ...board(stream.isHeld === undefined ? "later half" : "held", report.later, count),
        "",
      ];
      print(Deno.stdout, `${lines.join("\n")}\n`);
      if (json !== undefined) {
        const { machine, file } = json;
        await Deno.writeTextFile(
          `${file}.part`,
          `${JSON.stringify({ machine, settings, reports }, null, 1)}\n`,
        );
        await Deno.rename(`${file}.part`, file);
        await Deno.writeTextFile(`${file.replace(/\.json$/, "")}.svg`, pictureOf(reports, RIVALS));
      }
      if (judged === report.targets) break; // all were judged: another seed would say the same
    }
    const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
    const reaching = own[0]!.later.map(({ method }) => method).filter((method) =>
      reaches(own, method, target)
    );
    const lines = [
      `${name}: ${minutes} minutes; MRR@${count} of ${target} is reached by ${reaching.join(", ") || "none"}`,
      ...overSeeds(own, count),
      "",
    ];
    print(Deno.stdout, `${lines.join("\n")}\n`);
  }
}

async function run(
  options: NextItemOptions & { readonly withoutOwn: boolean },
  count: number,
  python: string | undefined,
): Promise<NextItemReport> {
  await using rivals = new AsyncDisposableStack();
  const baselines = [...createBaselines(options.withoutOwn)];
  for (const name of python === undefined ? [] : RIVALS) {
    baselines.push(
      rivals.use(new Rival(name, [python!, SCRIPT, name.split(",")[0]!, `${options.seed ?? 0}`])),
    );
  }
  return reportOf(options, await runNextItem({ ...options, baselines }, count));
}

/** The runs in a file that were made with the same settings and committed code; none if the file does not exist. */
async function reportsOf(file: string, settings: Settings): Promise<StreamReport[]> {
  const text = await Deno.readTextFile(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "{}";
    throw error;
  });
  const { settings: before, reports = [] } = JSON.parse(text);
  const isSame = CLEAN.test(settings.commit ?? "") && JSON.stringify(before) === JSON.stringify(settings);
  return isSame ? reports : [];
}

/** Whether a method's reciprocal rank, its mean over seeds, is at the target. */
function reaches(reports: readonly StreamReport[], method: string, target: number): boolean {
  const values = reports.flatMap(({ later }) =>
    later.filter((standing) => standing.method === method).map(({ reciprocalRank: { mean } }) => mean)
  );
  return values.reduce((sum, value) => sum + value, 0) >= target * values.length;
}

/** What all runs of a stream have in common: of each method the mean over seeds, and the lowest and highest. */
export function overSeeds(
  reports: readonly Pick<NextItemReport, "later">[],
  count: number,
): readonly string[] {
  const [first] = reports;
  if (first === undefined || reports.length === 1) return [];
  const cell = (method: string, metric: "hitRate" | "reciprocalRank") => {
    const values = reports.flatMap(({ later }) =>
      later.filter((standing) => standing.method === method).map((standing) => standing[metric].mean)
    );
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `${fixed(mean)} (${fixed(Math.min(...values))} to ${fixed(Math.max(...values))})`.padStart(30);
  };
  return [
    `${reports.length} seeds`.padEnd(WIDE) +
    [`HR@${count}`, `MRR@${count}`].map((name) => name.padStart(30)).join(""),
    ...first.later.map(({ method }) =>
      method.padEnd(WIDE) + cell(method, "hitRate") + cell(method, "reciprocalRank")
    ),
  ];
}
