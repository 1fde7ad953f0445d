import type { ListFeatures } from "../../src/samples/sample.ts";
import { hash32 } from "../../src/draws/random.ts";
import type { Serving } from "../../src/features/serving.ts";

/**
 * A cheap model that depends on all of its inputs: its step does not commute, its scores change with every feature,
 * and both change with the version.
 */
export class FakeServing implements Serving {
  readonly model = "fake";
  readonly stateSize: number;
  readonly lifelong: boolean;
  readonly stretches: readonly number[];
  version = 0;
  share = 1;

  constructor(stateSize = 3, lifelong = false, stretches: readonly number[] = [0, stateSize]) {
    this.stateSize = stateSize;
    this.lifelong = lifelong;
    this.stretches = stretches;
  }

  initState(): Float32Array {
    return new Float32Array(this.stateSize).fill(0.25);
  }

  step(state: Float32Array, item: string, categories: readonly string[], strength: number): void {
    let carry = strength * unit(item) + unit(categories.join()) + 0.01 * this.version;
    for (let i = 0; i < state.length; i++) {
      carry = Math.sin((i + 1) * (state[i]! + carry) + carry * state[i]!);
      state[i] = carry;
    }
  }

  score({ user, userFields, contextFields, history, state, rows }: ListFeatures): Float32Array {
    const shared = unit([user, ...userFields, ...contextFields, ...history.items].join()) +
      history.strengths.reduce((sum, strength, t) => sum + strength / (t + 1), 0) +
      (state?.values.reduce((sum, x) => sum + x, state.from) ?? 0);
    return Float32Array.from(rows.map((row) => {
      const numerics = row.numerics.reduce((sum, x, i) => sum + Math.sin(x * (i + 1)), 0);
      return Math.sin(
        shared + numerics + unit([row.item, ...row.categories, ...row.fields].join()) + this.version,
      );
    }));
  }

  place(logit: number, position: number): number {
    return logit - position / 8;
  }

  unplace(logit: number, position: number): number {
    return logit + position / 8;
  }
}

/** Hashes a text to a number in [−1, 1). */
function unit(text: string): number {
  return hash32(text) / 2 ** 31 - 1;
}
