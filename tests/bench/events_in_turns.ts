/**
 * How much longer zod takes to decode an event than we do: alternating blocks of both, and the median of the ratios of
 * neighbours, so that other load on the machine slows both down.
 *
 *     deno run -A tests/bench/events_in_turns.ts
 */

import { DECODERS } from "./events_bench.ts";

const BLOCKS = 400;
const CALLS = 1000;

function timeOf(call: () => void): number {
  const start = performance.now();
  for (let i = 0; i < CALLS; i++) call();
  return performance.now() - start;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

for (const { group, own, naive, zod } of DECODERS) {
  for (const call of [own, naive, zod]) for (let i = 0; i < 20; i++) timeOf(call);
  const blocks = Array.from({ length: BLOCKS }, () => [timeOf(own), timeOf(naive), timeOf(zod)] as const);
  const micros = (way: 0 | 1 | 2) => (median(blocks.map((block) => block[way])) / CALLS * 1000).toFixed(2);
  const ratio = (way: 1 | 2) => median(blocks.map((block) => block[way] / block[0])).toFixed(2);
  const line = `${group}: decodeEvent() ${micros(0)} µs, JSON.parse alone ${micros(1)} µs (${ratio(1)}×), ` +
    `with zod ${micros(2)} µs (${ratio(2)}×)\n`;
  await Deno.stdout.write(new TextEncoder().encode(line));
}
