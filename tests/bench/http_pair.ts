/**
 * The HTTP API of another checkout and of this one, under the same load in turns: what a change costs, even on a
 * machine whose speed drifts.
 *
 *     deno run -A --no-check tests/bench/http_pair.ts <folder of the other checkout> [base|din|dien|mimn] [turns]
 *
 * Prints the median ratio of the turns, this one to the other, with quartiles: of calls per second, and of processor
 * time per call.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { BenchServer, type Call, EACH } from "./http_server.ts";
import { machineLine } from "./machine.ts";

const [other, model = "dien", turns = "10"] = Deno.args;
if (other === undefined) throw new Error("Cannot compare without the folder of another checkout");
const SECONDS = 4;
const WARM_SECONDS = 5;
/** A server commits what it received, and learns, for a moment after the last call. */
const REST_MS = 200;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

print(await machineLine());
await using before = await BenchServer.start(`${await Deno.realPath(other)}/`, model, []);
await using now = await BenchServer.start(ROOT, model, []);

interface Turn {
  readonly rate: number;
  readonly cpu: number;
}

async function turnOf(server: BenchServer, call: Call, clients: number): Promise<Turn> {
  const begun = await server.cpuSeconds();
  const { times, seconds } = await server.load(call, clients, SECONDS);
  await delay(REST_MS);
  return { rate: times.length / seconds, cpu: (await server.cpuSeconds() - begun) / times.length };
}

/** Median and quartiles, interpolated, as text. */
function quartiles(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => {
    const place = (sorted.length - 1) * share;
    const [below = NaN, above = below] = sorted.slice(Math.floor(place), Math.floor(place) + 2);
    return (below + (above - below) * (place % 1)).toFixed(digits);
  };
  return `${at(0.5)} (${at(0.25)} to ${at(0.75)})`;
}

async function compare(call: Call, clients: number): Promise<void> {
  for (const server of [before, now]) await server.load(call, clients, WARM_SECONDS);
  const pairs: (readonly [Turn, Turn])[] = [];
  for (let i = 0; i < Number(turns); i++) {
    const first = await turnOf(i % 2 === 0 ? before : now, call, clients);
    const second = await turnOf(i % 2 === 0 ? now : before, call, clients);
    pairs.push(i % 2 === 0 ? [first, second] : [second, first]);
  }
  const rates = quartiles(pairs.map(([, { rate }]) => rate * EACH[call]), 0);
  const byRate = quartiles(pairs.map(([one, two]) => two.rate / one.rate), 3);
  const byCpu = quartiles(pairs.map(([one, two]) => two.cpu / one.cpu), 3);
  print(
    `${
      `${call}, ${clients} clients`.padEnd(18)
    } now ${rates}/s   rate to before ${byRate}   processor ${byCpu}`,
  );
}

await compare("rank", 1);
await compare("rank", 8);
await compare("click", 1);
await compare("event", 8);
await compare("batch", 2);
await before.stop();
await now.stop();
