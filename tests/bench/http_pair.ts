/**
 * The HTTP API of another checkout and of this one, under the same load in turns: what a change costs, even on a
 * machine whose speed drifts.
 *
 *     deno run -A --no-check tests/bench/http_pair.ts <folder of the other checkout> [base|din|dien|mimn] [turns] [pairs]
 *
 * Prints the median ratio of the turns, this one to the other, with quartiles: of calls per second, and of processor
 * time per call. Processes of the same checkout differ by up to 15 % for as long as they live, which more turns do not
 * average out: several pairs of processes do. The medians of each pair are printed, too.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { BenchServer, type Call, EACH } from "./http_server.ts";
import { machineLine } from "./machine.ts";

const [other, model = "dien", turns = "5", pairs = "4"] = Deno.args;
if (other === undefined) throw new Error("Cannot compare without the folder of another checkout");
const SECONDS = 4;
const WARM_SECONDS = 5;
/** A server commits what it received, and learns, for a moment after the last call. */
const REST_MS = 200;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

const LOADS: readonly (readonly [Call, clients: number])[] = [
  ["rank", 1],
  ["rank", 8],
  ["click", 1],
  ["event", 8],
  ["batch", 2],
];

interface Turn {
  readonly rate: number;
  readonly cpu: number;
}

/** A turn of each of two servers: of the other checkout, and of this one. */
type Pair = readonly [before: Turn, now: Turn];

async function turnOf(server: BenchServer, call: Call, clients: number): Promise<Turn> {
  const begun = await server.cpuSeconds();
  const { times, seconds } = await server.load(call, clients, SECONDS);
  await delay(REST_MS);
  return { rate: times.length / seconds, cpu: (await server.cpuSeconds() - begun) / times.length };
}

async function measure(
  servers: readonly [before: BenchServer, now: BenchServer],
  call: Call,
  clients: number,
): Promise<readonly Pair[]> {
  const [before, now] = servers;
  for (const server of servers) await server.load(call, clients, WARM_SECONDS);
  const measured: Pair[] = [];
  for (let i = 0; i < Number(turns); i++) {
    const first = await turnOf(i % 2 === 0 ? before : now, call, clients);
    const second = await turnOf(i % 2 === 0 ? now : before, call, clients);
    measured.push(i % 2 === 0 ? [first, second] : [second, first]);
  }
  return measured;
}

/** A quantile, interpolated. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [below = NaN, above = below] = sorted.slice(Math.floor(place), Math.floor(place) + 2);
  return below + (above - below) * (place % 1);
}

/** Median and quartiles of all turns, and the medians of each pair of processes, as text. */
function ratios(measured: readonly (readonly Pair[])[], ratioOf: (pair: Pair) => number): string {
  const all = measured.flat().map(ratioOf);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(all, share).toFixed(3));
  const each = measured.map((turns) => quantile(turns.map(ratioOf), 0.5).toFixed(2));
  return `${middle} (${low} to ${high}; ${each.join(", ")})`;
}

const measured = LOADS.map((): (readonly Pair[])[] => []);
print(await machineLine());
for (let pair = 0; pair < Number(pairs); pair++) {
  await using before = await BenchServer.start(`${await Deno.realPath(other)}/`, model, []);
  await using now = await BenchServer.start(ROOT, model, []);
  for (const [i, load] of LOADS.entries()) measured[i]!.push(await measure([before, now], ...load));
  await before.stop();
  await now.stop();
}
for (const [i, [call, clients]] of LOADS.entries()) {
  const rate = quantile(measured[i]!.flat().map(([, { rate }]) => rate * EACH[call]), 0.5).toFixed(0);
  const byRate = ratios(measured[i]!, ([one, two]) => two.rate / one.rate);
  const byCpu = ratios(measured[i]!, ([one, two]) => two.cpu / one.cpu);
  const what = `${call}, ${clients} clients`.padEnd(18);
  print(`${what} now ${rate}/s   rate to before ${byRate}   processor ${byCpu}`);
}
