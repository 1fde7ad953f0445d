/**
 * Streams of judged batches, clean and poisoned, without a model behind them: a guard sees predictions and outcomes,
 * nothing else.
 *
 * @module
 */

import { Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { makeSamples } from "./batches.ts";

/** Who comes, and how well they are predicted. */
export interface GuardStream {
  /** Rows of a list. */
  readonly list: number;
  /** Users present at a time. */
  readonly atOnce: number;
  /** Mean number of lists of a user before another takes their place. */
  readonly stay: number;
  /** Logit of the rate. */
  readonly rate: number;
  /** Deviation of what the model knows beyond the prior. */
  readonly known: number;
  /** Deviation of a user's mood, which nobody knows; one user in twenty has three times as much. */
  readonly mood: number;
  /** Whether the prior knows all that the model does, as when outcomes are learnt at once. */
  readonly isPriorAsGood?: boolean;
  /** Constant error of the model's logit. */
  readonly bias?: number;
}

/** Clean streams of different kinds. */
export const CLEAN: Readonly<Record<string, GuardStream>> = {
  "a shop's lists": { list: 10, atOnce: 2000, stay: 30, rate: -2, known: 1, mood: 0.5 },
  "ratings of one user after another": { list: 1, atOnce: 3, stay: 165, rate: 0.3, known: 0.9, mood: 1 },
  "ratings of some at a time": { list: 1, atOnce: 20, stay: 20, rate: 0.3, known: 0.9, mood: 0.7 },
  "rare positives": { list: 5, atOnce: 500, stay: 10, rate: -4.5, known: 1, mood: 0.5 },
  "one positive in a thousand rows": { list: 10, atOnce: 5000, stay: 10, rate: -7.4, known: 1, mood: 0.5 },
  "one in ten thousand": { list: 10, atOnce: 5000, stay: 10, rate: -9.7, known: 1, mood: 0 },
  "outcomes that are learnt at once": {
    list: 1,
    atOnce: 50,
    stay: 20,
    rate: 0.9,
    known: 0.9,
    mood: 0.5,
    isPriorAsGood: true,
  },
  "calibration out of its band all along": {
    list: 5,
    atOnce: 500,
    stay: 10,
    rate: -1.4,
    known: 1,
    mood: 0.3,
    bias: -1.2,
  },
};

/** Batches of at least 64 rows. @param isFlipped whether the label of a row is inverted */
export function* guardBatches(
  stream: GuardStream,
  seed: number,
  isFlipped: (row: number) => boolean = () => false,
): Generator<Sample[], never> {
  const { list, atOnce, stay, rate, known, mood, isPriorAsGood = false, bias = 0 } = stream;
  const [template] = makeSamples(1, 1, 1);
  const random = mulberry32(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const places = Array.from({ length: atOnce }, () => ({ name: "", mood: 0, left: 0 }));
  let users = 0, row = 0;
  for (;;) {
    const batch: Sample[] = [];
    for (let rows = 0; rows < 64; rows += list) {
      const user = places[Math.floor(random() * atOnce)]!;
      if (user.left === 0) {
        const strength = random() < 0.05 ? 3 * mood : mood;
        Object.assign(user, {
          name: `u${users++}`,
          mood: strength * normal(),
          left: 1 + 2 * stay * random() | 0,
        });
      }
      user.left--;
      batch.push({
        ...template!,
        user: user.name,
        rows: Rows.of(Array.from({ length: list }, () => {
          const z = rate + known * normal();
          const yes = random() < sigmoid(z + user.mood);
          const label = yes !== isFlipped(row++) ? 1 : 0;
          const offset = (isPriorAsGood ? z : rate) + bias;
          return { ...template!.rows.at(0), label, prediction: sigmoid(z + bias), offset } as const;
        })),
      });
    }
    yield batch;
  }
}
