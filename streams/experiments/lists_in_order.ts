/**
 * Samples in the order in which their lists were shown.
 *
 * A list whose items are all rated is final before older lists that wait for their deadline. If it were counted at
 * once, users of a variant with more ratings would arrive sooner, and their first lists would be the rated ones.
 *
 * ```text
 *   shown 12:00 ─────────────────── final 12:10 ──> counts at 12:10
 *       shown 12:03 ── final 12:04 ─ held ────────────────────> counts at 12:13
 * ```
 */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Rows } from "../../src/samples/rows.ts";
import { historySample, NO_HISTORY, type Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";

/**
 * Holds samples until all lists of their partition that were shown before are final. Memory: lists that closed early
 * within one outcome window, without their features. O(log held lists of the partition) comparisons per sample, O(own lists)
 * per user encoded.
 */
export class ListsInOrder {
  /** Held samples by partition, oldest list first. */
  readonly #held: Sample[][] = [];
  /** Held samples by user, each with its partition. */
  readonly #users = new Map<string, Map<Sample, number>>();

  add(sample: Sample, partition: number): void {
    while (this.#held.length <= partition) this.#held.push([]);
    const held = this.#held[partition]!;
    const kept = outcomeOf(sample);
    held.splice(firstAfter(held, sample.time), 0, kept);
    const own = this.#users.get(sample.user);
    if (own === undefined) this.#users.set(sample.user, new Map([[kept, partition]]));
    else own.set(kept, partition);
  }

  /** Removes and returns the samples of lists shown up to a time, oldest first. */
  take(time: number, partition: number): readonly Sample[] {
    const held = this.#held[partition] ?? [];
    const due = held.splice(0, firstAfter(held, time));
    for (const sample of due) {
      const own = this.#users.get(sample.user)!;
      own.delete(sample);
      if (own.size === 0) this.#users.delete(sample.user);
    }
    return due;
  }

  has(user: string): boolean {
    return this.#users.has(user);
  }

  forget(user: string): void {
    const own = this.#users.get(user);
    if (own === undefined) return;
    this.#users.delete(user);
    for (const partition of new Set(own.values())) {
      this.#held[partition] = this.#held[partition]!.filter((sample) => sample.user !== user);
    }
  }

  encodeUser(user: string): Uint8Array {
    const to = new ByteWriter();
    for (const [sample, partition] of this.#users.get(user) ?? []) {
      to.uint(partition).bytes(encodeSample(sample));
    }
    return to.toBytes();
  }

  /** Decodes the output of {@linkcode ListsInOrder.encodeUser}. @throws SyntaxError when invalid */
  decodeUser(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    while (!from.done) {
      const partition = from.uint();
      this.add(decodeSample(from.bytes()), partition);
    }
  }
}

/** Index of the first sample of a list shown after a time, in samples ordered by it. */
function firstAfter(held: readonly Sample[], time: number): number {
  let [low, high] = [0, held.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (held[middle]!.time <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The parts of a sample that figures need. */
function outcomeOf(sample: Sample): Sample {
  const { request, closedTime, version, newUser, exposures, user, time } = sample;
  const rows = sample.rows.map(({ item, label, position, prediction, reward, team }) => {
    return { item, label, position, prediction, reward, team };
  });
  return {
    ...historySample(user, time, NO_HISTORY),
    request,
    closedTime,
    version,
    newUser,
    exposures,
    purpose: sample.purpose,
    rows: Rows.of(rows),
  };
}
