/**
 * The least CPU time of a piece of work. On a shared machine, wall-clock time includes the load of others; the CPU time
 * of this process does not count waiting for a core.
 *
 * @module
 */

import process from "node:process";

/** A round is repeated until it takes this long: the clock ticks in microseconds, and counts in coarser steps. */
const ROUND_MICROS = 3000;

function micros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Microseconds per call of `run`, the least of rounds that take `seconds` of wall-clock time in all. */
export async function leastMicros(run: () => unknown, seconds: number): Promise<number> {
  for (let i = 0; i < 2; i++) await run();
  const last = run();
  await last;
  const measure = last instanceof Promise ? asyncRound : round;
  let repeats = 1, took = 0;
  for (;; repeats *= 2) {
    took = await measure(run, repeats);
    if (took >= ROUND_MICROS) break;
  }
  let least = took / repeats;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;) {
    least = Math.min(least, await measure(run, repeats) / repeats);
  }
  return least;
}

function round(run: () => unknown, repeats: number): number {
  const start = micros();
  for (let i = 0; i < repeats; i++) run();
  return micros() - start;
}

async function asyncRound(run: () => unknown, repeats: number): Promise<number> {
  const start = micros();
  for (let i = 0; i < repeats; i++) await run();
  return micros() - start;
}
