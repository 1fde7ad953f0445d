/**
 * How steady the machine is, for benchmarks of 99th percentiles: on a shared machine the speed of a thread changes from
 * one moment to the next, whatever it does. Nothing that runs there can be steadier than this.
 *
 * `deno run -A tests/bench/machine.ts`
 *
 * @module
 */

/** Length of a window in which a thread counts, milliseconds. */
const WINDOW_MS = 10;
const WINDOWS = 300;

/** How far a thread counts in each of many windows, ascending. */
function counts(): number[] {
  return Array.from({ length: WINDOWS }, () => {
    const until = performance.now() + WINDOW_MS;
    let count = 0;
    while (performance.now() < until) count++;
    return count;
  }).sort((a, b) => a - b);
}

/** The same in another thread. */
function countsInThread(): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>();
  const worker = new Worker(import.meta.url, { type: "module", name: "counts" });
  worker.onmessage = ({ data }) => {
    resolve(data);
    worker.terminate();
  };
  worker.onerror = reject;
  return promise;
}

/** How many threads' worth two at once are, and how slow the slowest hundredth of windows is, as text. */
export async function machineLine(): Promise<string> {
  const at = (counts: readonly number[], share: number) => counts[Math.floor(counts.length * share)] ?? NaN;
  const alone = await countsInThread();
  const two = await Promise.all([countsInThread(), countsInThread()]);
  const median = at(alone, 0.5);
  const both = two.reduce((sum, counts) => sum + at(counts, 0.5), 0) / median;
  const slowest = two.map((counts) => at(counts, 0.01) / median).sort((a, b) => a - b)[0] ?? NaN;
  return `machine: in the slowest hundredth of windows of ${WINDOW_MS} ms a thread does ${
    (at(alone, 0.01) / median).toFixed(2)
  } of what it does in the median; two at once do ${both.toFixed(2)} times that, ${
    slowest.toFixed(2)
  } at the slowest`;
}

const scope = self as unknown as { readonly name?: string; postMessage?(data: unknown): void };
if (scope.name === "counts") scope.postMessage?.(counts());
else if (import.meta.main) Deno.stdout.writeSync(new TextEncoder().encode(`${await machineLine()}\n`));
