/**
 * A learner with everything that watches it: each prediction is judged before its outcome is learnt, the guard rails
 * withdraw weights that cannot be trusted, and a proof decides the model's share in the order of lists.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Sample } from "../samples/sample.ts";
import type { ParameterVersion } from "../serving/version.ts";
import { GuardRails, type GuardRailsOptions, type RailCounts, type WeightsOrigin } from "./guard_rails.ts";
import type { Learner } from "./learner.ts";
import { Proof, type ProofOptions } from "./proof.ts";
import { Validation } from "./validation.ts";

export interface WatchedLearnerOptions extends GuardRailsOptions {
  /** Minimum number of judged rows kept for metrics. */
  readonly keepRows: number;
  /** How the model proves that it ranks better than the prior; `null` = it needs no proof. */
  readonly proof: ProofOptions | null;
}

export interface EncodedSample {
  readonly sample: Sample;
  readonly bytes: Uint8Array;
}

/** One learner, judged and guarded. */
export class WatchedLearner {
  readonly learner: Learner;
  readonly validation: Validation;
  /** `null` = the model alone orders lists. */
  readonly proof: Proof | null;
  readonly rails: GuardRails;

  constructor(learner: Learner, { keepRows, proof, guard, recoveryBatches }: WatchedLearnerOptions) {
    this.learner = learner;
    this.validation = new Validation({ rows: keepRows });
    this.proof = proof === null ? null : new Proof(proof);
    this.rails = new GuardRails(learner, { guard, recoveryBatches });
  }

  /** Judges a batch of samples, then learns it. @param version newest version made before it */
  learn(taken: readonly EncodedSample[], version: number): WeightsOrigin {
    for (const { sample, bytes } of taken) this.validation.update(sample, bytes);
    const samples = taken.map(({ sample }) => sample);
    const result = this.learner.learn(samples);
    this.validation.mark(result, this.learner.dataTime, version);
    this.proof?.update(samples.filter(({ purpose }) => purpose !== "learn"));
    return this.rails.update({ samples, result, judged: this.validation.judged, version });
  }

  /** Erases users from everything learnt, and from every state that the rails may go back to. */
  erase(users: readonly string[]): void {
    this.rails.erase(users);
    this.validation.erase(users);
  }

  /** Makes a version of the current weights; see {@linkcode Learner.version}. */
  version(kind: ParameterVersion["kind"], version: number, predecessor: number): ParameterVersion {
    return { ...this.learner.version(kind, version, predecessor), share: this.proof?.share ?? 1 };
  }

  /** Keeps the learner as a state to go back to; see {@linkcode GuardRails.keep}. @returns the encoded learner */
  keep(): Uint8Array {
    return this.rails.keep(this.validation.judged);
  }

  /** Writes everything but the counters. @param learner as encoded by {@linkcode GuardRails.encodeLearner} */
  encode(to: ByteWriter, learner: Uint8Array): void {
    this.rails.encode(to, learner);
    this.validation.encode(to);
    this.proof?.encode(to);
  }

  /** Restores what {@linkcode WatchedLearner.encode} wrote. @throws SyntaxError when the bytes encode something else */
  decode(from: ByteReader, counts: RailCounts): void {
    this.rails.decode(from, counts);
    this.validation.decode(from);
    if (this.proof === null) return;
    // Bytes without a proof are of a model that ordered lists without one.
    if (from.done) this.proof.trust();
    else this.proof.decode(from);
  }
}
