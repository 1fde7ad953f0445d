/**
 * The guard rails of a learner. After a step that breaks the weights, they restore the last snapshot; when the guard
 * finds served predictions out of band, they restore weights that were served for a while without complaint. Until the
 * learner is trusted again, only weights that the guard chose are published.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { Guard, type GuardAction, type GuardOptions } from "./guard/guard.ts";
import type { Learner, LearnResult } from "./learner.ts";
import type { Sample } from "../samples/sample.ts";
import { Snapshots } from "./snapshots.ts";

export interface GuardRailsOptions {
  /** The band in which served predictions must stay; `null`: no band. */
  readonly guard: GuardOptions | null;
  /** Usable batches in a row after which publishing resumes after a failure. */
  readonly recoveryBatches: number;
}

export interface RailCounts {
  /** Batches withdrawn because a loss or gradient was not finite, or a weight out of bounds. */
  readonly failures: number;
  /** Times the guard withdrew served weights. */
  readonly rollbacks: number;
  /** Usable batches still needed before publishing resumes. */
  readonly recovery: number;
}

export interface LearntBatch {
  /** The batch, with the served predictions. */
  readonly samples: readonly Sample[];
  readonly result: Pick<LearnResult, "usable" | "logLoss">;
  /** Rows judged so far, its own included. */
  readonly judged: number;
  /** Newest version made before it. */
  readonly version: number;
}

/**
 * Where the weights come from after a batch: `learnt`; `restored` from the last snapshot; `chosen` by the guard, to be
 * published at once. After the latter two the next version must be a full one, as changes since the last are unknown.
 */
export type WeightsOrigin = "learnt" | "restored" | "chosen";

/** Watches the weights of one learner and withdraws bad ones. */
export class GuardRails {
  /** Watches the served predictions. */
  readonly guard: Guard;
  readonly #learner: Learner;
  readonly #snapshots: Snapshots;
  readonly #guarded: boolean;
  readonly #recoveryBatches: number;
  #counts: RailCounts = { failures: 0, rollbacks: 0, recovery: 0 };

  /** Trusts the learner as it is. */
  constructor(learner: Learner, { guard, recoveryBatches }: GuardRailsOptions) {
    this.#learner = learner;
    this.#recoveryBatches = recoveryBatches;
    this.#guarded = guard !== null;
    this.guard = new Guard(guard ?? {});
    this.#snapshots = new Snapshots(learner.encode(), this.#guarded ? this.guard.trustRows : 0);
  }

  get counts(): RailCounts {
    return this.#counts;
  }

  /** Whether a batch broke the weights and too few usable ones followed. */
  get isRecovering(): boolean {
    return this.#counts.recovery > 0;
  }

  /** Whether the weights may be published. */
  get publishes(): boolean {
    return !this.isRecovering && this.guard.publishes;
  }

  /** Judges a batch that the learner has just learnt, and withdraws its weights if necessary. */
  update({ samples, result, judged, version }: LearntBatch): WeightsOrigin {
    const { failures, rollbacks, recovery } = this.#counts;
    if (!result.usable) {
      this.#snapshots.restore(this.#learner, "last");
      this.#counts = { failures: failures + 1, rollbacks, recovery: this.#recoveryBatches };
      return "restored";
    }
    if (recovery > 0) this.#counts = { failures, rollbacks, recovery: recovery - 1 };
    if (!this.#guarded) return "learnt";
    const judgedSamples = samples.filter(({ purpose }) => purpose !== "learn");
    return this.#obey(this.guard.update(judgedSamples, result.logLoss, version), judged);
  }

  #obey(action: GuardAction, judged: number): WeightsOrigin {
    if (this.guard.health === "healthy") this.#snapshots.trust(judged);
    if (action === "publish" || action === "hold") return "learnt";
    const { failures, rollbacks } = this.#counts;
    const isRollback = action === "roll back";
    if (isRollback) this.#snapshots.distrust();
    if (action !== "adopt") this.#snapshots.restore(this.#learner, "trusted");
    this.#counts = { failures, rollbacks: isRollback ? rollbacks + 1 : rollbacks, recovery: 0 };
    return "chosen";
  }

  /** Erases users from the learner and from every state that it may go back to. */
  erase(users: readonly string[]): void {
    for (const user of users) this.#learner.forget(user);
    this.#snapshots.erase(users, this.#learner);
  }

  /** Lends the learner sound weights to publish while its own may not be. @returns a function that restores its own */
  lend(): () => void {
    const own = this.#learner.encode();
    this.#snapshots.restore(this.#learner, this.guard.publishes ? "last" : "trusted");
    return () => this.#learner.decode(own);
  }

  /** The encoded learner, for a checkpoint. Neither it nor the snapshots contain erased users afterwards. */
  encodeLearner(): Uint8Array {
    return this.#snapshots.encodeLearner(this.#learner);
  }

  /**
   * Keeps the learner as a state to go back to, unless it is recovering or distrusted.
   *
   * @param judged rows judged so far
   * @returns the encoded learner, as {@linkcode GuardRails.encodeLearner} gives it
   */
  keep(judged: number): Uint8Array {
    if (this.isRecovering || this.guard.health !== "healthy") return this.encodeLearner();
    return this.#snapshots.keep(this.#learner, judged);
  }

  /** Writes everything but the counters. @param learner as encoded by {@linkcode GuardRails.encodeLearner} */
  encode(to: ByteWriter, learner: Uint8Array): void {
    this.#snapshots.encode(to, learner);
    this.guard.encode(to);
  }

  /**
   * Restores what {@linkcode GuardRails.encode} wrote, and the learner with it.
   *
   * @throws SyntaxError when the bytes do not encode guard rails, or those of another learner
   */
  decode(from: ByteReader, { failures, rollbacks, recovery }: RailCounts): void {
    this.#counts = { failures, rollbacks, recovery };
    this.#learner.decode(this.#snapshots.decode(from));
    this.guard.decode(from);
  }
}
