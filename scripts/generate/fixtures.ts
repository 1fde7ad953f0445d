/**
 * Regenerates the sample data under fixtures/, byte for byte, and writes its figures into fixtures/README.md.
 *
 *     deno task fixtures            write the files
 *     deno task fixtures --check    only compare; fails when a file is not up to date
 *     deno task fixtures --seed 7 --out .data/shop7    another world, elsewhere, without figures
 */

import { gunzipSync, gzipSync } from "node:zlib";
import { itemRecord } from "../../fixtures/simulator/item.ts";
import { type Arrival, arrivals } from "../../fixtures/simulator/event_log.ts";
import { clickRate, fraction, scale, shownItems } from "../../fixtures/simulator/figures.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import {
  BestPolicy,
  type PageView,
  pageViews,
  type Policy,
  RandomPolicy,
  Shop,
} from "../../fixtures/simulator/shop.ts";
import { createWorld, type World } from "../../fixtures/simulator/world.ts";
import { commandArguments, commandName, createCommand, integer, say } from "../flags/command_line.ts";

/** Seed of the committed sample. */
export const SEED = 20250303;

/** The marks between which fixtures/README.md holds the figures. */
const BEGIN = "<!-- figures: written by `deno task fixtures` -->";
const END = "<!-- end of figures -->";

const FIXTURES = new URL("../../fixtures/", import.meta.url);

/** A sample: the world at its end, what was shown in it, and the log it left. */
export interface Sample {
  /** Determines all of it. */
  readonly seed: number;
  /** The world at its end. */
  readonly world: World;
  /** The pages in the order of time. */
  readonly views: readonly PageView[];
  /** The log in the order of arrival. */
  readonly lines: readonly Arrival[];
}

/** Simulates the shop for a seed. */
export function makeSample(seed: number): Sample {
  const world = createWorld({ seed });
  const views = play(world, new Shop(world, createRandom(seed, -1)), seed);
  return { seed, world, views, lines: arrivals(views, world, createRandom(seed, -3)) };
}

function play(world: World, policy: Policy, seed: number): readonly PageView[] {
  return [...pageViews(world, policy, createRandom(seed, -2))];
}

/** The files of a sample by name: gzipped JSON lines. */
export function sampleFiles({ world, lines }: Sample): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ["items.jsonl.gz", gzip(world.items.map((item) => JSON.stringify(itemRecord(item))))],
    ["events.jsonl.gz", gzip(lines.map(({ line }) => line))],
  ]);
}

/** Gzip without a time or a system in its header, so the same lines give the same bytes. */
function gzip(lines: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(
    gzipSync(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")), { level: 9 }),
  );
  bytes.fill(0, 4, 8);
  bytes[9] = 255;
  return bytes;
}

/** The README's text with the figures of a sample. */
export function withFigures(readme: string, sample: Sample): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new SyntaxError(
      `Cannot write the figures into fixtures/README.md: current text lacks ${BEGIN} or ${END}`,
    );
  }
  return `${before}${BEGIN}\n\n${figures(sample)}\n${END}${after}`;
}

function figures({ seed, world, views, lines }: Sample): string {
  const shown = views.map(shownItems);
  const rows = shown.flat();
  const acts = views.flatMap(({ time, answers }) =>
    answers.map(({ action, time: at }) => ({ action, delay: at - time }))
  );
  const clicks = acts.filter(({ action }) => action === "click");
  const inTime = clicks.filter(({ delay }) => delay <= 600_000).length / clicks.length;
  const tail = scale(shown);
  const best = createWorld({ seed });
  const random = createWorld({ seed });
  return tableOf([
    ["What", "Figure"],
    [
      "lines, page views, impression rows, clicks",
      [lines, views, rows, clicks].map(({ length }) => length).join(", "),
    ],
    ["users seen, items", `${new Set(views.map(({ user }) => user)).size}, ${world.items.length}`],
    ["clicks within ten minutes of their page", percent(inTime)],
    [
      "carts, purchases, likes",
      ["cart", "purchase", "like"].map((word) => acts.filter(({ action }) => action === word).length).join(
        ", ",
      ),
    ],
    ["requests without candidates", `${views.filter(({ items }) => items === null).length}`],
    ["lines: second copies", `${count(lines, "duplicate")}`],
    ["lines: late, up to five minutes", `${count(lines, "late")}`],
    ["lines: late, more than an hour", `${count(lines, "very-late")}`],
    ["lines: malformed", `${count(lines, "malformed")}`],
    ["**last third of the rows**", `${tail.rows} rows`],
    ["constant's log loss: 0 % of the way", tail.constantLoss.toFixed(4)],
    ["oracle's log loss: 100 % of the way", tail.oracleLoss.toFixed(4)],
    ["oracle's AUC", tail.oracleAuc.toFixed(4)],
    [
      "popularity's log loss",
      `${tail.popularityLoss.toFixed(4)}: ${percent(fraction(tail.popularityLoss, tail))} of the way`,
    ],
    ["popularity's AUC", tail.popularityAuc.toFixed(4)],
    ["**click rate of a policy that serves everybody from first to last**", "mean true probability"],
    [
      "random: ten of all items on sale",
      percent(clickRate(play(random, new RandomPolicy(random, createRandom(seed, -4)), seed))),
    ],
    ["the shop's, which made the log", percent(clickRate(views))],
    [
      "best: the ten likeliest of all items on sale",
      percent(clickRate(play(best, new BestPolicy(best), seed))),
    ],
  ]);
}

/** A Markdown table as `deno fmt` leaves it: columns padded. */
function tableOf(rows: readonly (readonly [what: string, figure: string])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const [head, ...body] = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)));
  const rule = widths.map((width) => "-".repeat(width));
  return [head ?? [], rule, ...body].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function count(lines: readonly Arrival[], fault: Arrival["fault"]): number {
  return lines.filter((line) => line.fault === fault).length;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Names of the files under fixtures/ that are not what `deno task fixtures` makes of the sample. */
export async function staleFiles(sample: Sample): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [name, bytes] of sampleFiles(sample)) {
    const found = await Deno.readFile(new URL(`shop/${name}`, FIXTURES)).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return new Uint8Array();
      throw error;
    });
    // Another release of zlib may compress the same text differently: only the text counts.
    const same = equal(found, bytes) || (found.length > 0 && equal(gunzipSync(found), gunzipSync(bytes)));
    if (!same) stale.push(`shop/${name}`);
  }
  const readme = await Deno.readTextFile(new URL("README.md", FIXTURES));
  if (withFigures(readme, sample) !== readme) stale.push("README.md");
  return stale;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function write(files: ReadonlyMap<string, Uint8Array>, folder: string | URL): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, bytes] of files) {
    const path = folder instanceof URL ? new URL(name, folder) : `${folder}/${name}`;
    await Deno.writeFile(path, bytes);
    say(`${name}: ${bytes.length} bytes`);
  }
}

interface Flags {
  readonly check: boolean;
  readonly seed: number;
  readonly out?: string;
}

async function main({ check, seed, out }: Flags): Promise<void> {
  const sample = makeSample(seed);
  if (out !== undefined) return await write(sampleFiles(sample), out);
  if (check) {
    const stale = await staleFiles(sample);
    if (stale.length === 0) return say("fixtures are up to date");
    say(`not up to date: ${stale.join(", ")}; run \`deno task fixtures\``);
    Deno.exit(1);
  }
  await write(sampleFiles(sample), new URL("shop/", FIXTURES));
  const readme = new URL("README.md", FIXTURES);
  await Deno.writeTextFile(readme, withFigures(await Deno.readTextFile(readme), sample));
}

if (import.meta.main) {
  const program = createCommand(commandName("fixtures"))
    .description("Regenerate the sample data under fixtures/, byte for byte, or make another world.")
    .option("--check", "only compare; fails when a file is not up to date", false)
    .option("--seed <n>", "seed of the world", integer, SEED)
    .option("--out <folder>", "write a world there, without figures")
    .parse(commandArguments(), { from: "user" });
  await main(program.opts<Flags>());
}
