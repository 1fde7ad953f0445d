/**
 * How often the proof of a model is wrong, and how soon it is right: streams of judged lists without a model.
 *
 * ```sh
 * deno run -A tests/bench/proof.ts                 # 1,000 runs a stream of 8,192 rows, a fifth of them where it is better
 * deno run -A tests/bench/proof.ts 500 16384 lists  # runs, rows, streams whose name has this in it
 * ```
 *
 * @module
 */

import { Proof } from "../../src/learner/proof.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { BETTER, NO_BETTER, proofLists, type ProofStream } from "../learner/proof_streams.ts";

const [runsGiven = "1000", rowsGiven = "8192", only = ""] = Deno.args;
const RUNS = Number(runsGiven), ROWS = Number(rowsGiven);
/** Rows per batch, as in a learner. */
const BATCH = 64;

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** Rows after which a new model orders alone, or a trusted one is withdrawn; infinity when never. */
function changes(stream: ProofStream, seed: number): { over: number; back: number } {
  const next = proofLists(stream, seed);
  const proofs = { over: new Proof(), back: new Proof() };
  proofs.back.trust();
  const found = { over: Infinity, back: Infinity };
  const wanted = { over: "model", back: "prior" } as const;
  const end = ROWS + (stream.later?.rows ?? 0);
  for (let rows = 0; rows < end && (found.over === Infinity || found.back === Infinity);) {
    const batch: Sample[] = [];
    for (let taken = 0; taken < BATCH; taken += batch.at(-1)!.rows.length) batch.push(next());
    rows += batch.reduce((sum, list) => sum + list.rows.length, 0);
    for (const what of ["over", "back"] as const) {
      if (found[what] < Infinity) continue;
      proofs[what].update(batch);
      found[what] = proofs[what].changes.find(({ to }) => to === wanted[what])?.rows ?? Infinity;
    }
  }
  return found;
}

/** A share of the runs, with twice its standard error. */
function share(is: readonly boolean[]): string {
  const runs = is.length, p = is.filter(Boolean).length / runs;
  return `${(100 * p).toFixed(1)} ± ${(200 * Math.sqrt(p * (1 - p) / runs)).toFixed(1)} %`;
}

const seeds = Array.from({ length: RUNS }, (_, seed) => seed);
const named = (streams: Readonly<Record<string, ProofStream>>) =>
  Object.entries(streams).filter(([name]) => name.includes(only));

print("no better: takes over; a trusted one is taken back");
for (const [name, stream] of named(NO_BETTER)) {
  const found = seeds.map((seed) => changes(stream, seed));
  const shares = (["over", "back"] as const).map((what) => share(found.map((run) => run[what] < Infinity)));
  print(`${name}: ${shares.join("; ")}`);
}
print("better: takes over within the rows; after: median, 90 %; a trusted one is taken back");
for (const [name, stream] of named(BETTER)) {
  const found = seeds.slice(0, RUNS / 5).map((seed) => changes(stream, seed));
  const rows = found.map(({ over }) => over).sort((a, b) => a - b);
  const [median, most] = [rows[rows.length >> 1], rows[Math.floor(0.9 * rows.length)]];
  const back = share(found.map(({ back }) => back < Infinity));
  print(`${name}: ${share(rows.map((n) => n < Infinity))}; ${median}, ${most}; ${back}`);
}
