/**
 * False alarms of the guard on clean streams, and how soon it stops wrong labels, without a model: it only sees
 * predictions and outcomes.
 *
 * ```sh
 * deno run -A tests/bench/guard.ts [rows a stream, in thousands]
 * ```
 *
 * @module
 */

import { Guard } from "../../src/learner/guard/guard.ts";
import { CLEAN, guardBatches } from "../learner/guard_streams.ts";

const ROWS = Number(Deno.args[0] ?? 2000) * 1000;
/** Streams that go wrong after so many clean rows. */
const POISONED = 40, SOUND = 20_000;

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

for (const [name, stream] of Object.entries(CLEAN)) {
  const guard = new Guard();
  let held = 0, rows = 0;
  for (const batch of guardBatches(stream, 1)) {
    if (rows >= ROWS) break;
    const action = guard.update(batch, 0, 1);
    if (action === "hold" || action === "roll back") held++;
    rows += batch.reduce((sum, sample) => sum + sample.rows.length, 0);
  }
  const delays = Array.from({ length: POISONED }, (_, seed) => {
    const guard = new Guard();
    let rows = 0;
    for (const batch of guardBatches(stream, 100 + seed, (row) => row >= SOUND)) {
      const action = guard.update(batch, 0, 1);
      rows += batch.reduce((sum, sample) => sum + sample.rows.length, 0);
      if (rows > SOUND + 64 && action !== "publish") return (rows - SOUND) / 64;
      if (rows > SOUND + 100_000) break;
    }
    return Infinity;
  }).sort((a, b) => a - b);
  const [median, most] = [delays[POISONED / 2]!, delays.at(-1)!];
  print(
    `${name}: ${guard.changes.filter(({ to }) => to === "suspect").length} alarms, ${held} batches held in ${
      ROWS / 1e6
    } million clean rows; flipped labels are held after ${median.toFixed(1)} batches, at most ${
      most.toFixed(1)
    }`,
  );
}
