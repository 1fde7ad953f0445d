import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { readArray, writeArray } from "../codec/record.ts";
import { mix } from "./hash.ts";

const COUNTERS = 1 << 18;
const MASK = COUNTERS - 1;
/** Uses after which all counters are halved, few enough that most counters are 0 or 1. */
const HALVE_AFTER = COUNTERS / 2;

/**
 * Counts uses of ids that have no row yet, in 256 KiB regardless of their number: a count-min sketch with three
 * one-byte counters per id and conservative update (Estan and Varghese, SIGCOMM'02), halved periodically to forget
 * old uses.
 *
 * Collisions only raise the estimate: an id may get its row early because of one, never late.
 */
export class AdmissionFilter {
  readonly #counters = new Uint8Array(COUNTERS);
  #counted = 0;

  get bytes(): number {
    return COUNTERS;
  }

  /** Counts one use of an id by its hash and returns the estimate, 1..255. */
  count(hash: number): number {
    if (++this.#counted > HALVE_AFTER) {
      for (let i = 0; i < COUNTERS; i++) this.#counters[i]! >>>= 1;
      this.#counted = 1;
    }
    const counters = this.#counters;
    const a = hash & MASK, b = mix(hash ^ 0x5bd1e995) & MASK, c = mix(hash + 0x9e3779b9) & MASK;
    const least = Math.min(counters[a]!, counters[b]!, counters[c]!);
    const next = Math.min(least + 1, 255);
    // Conservative update: raising only the counters below the new estimate keeps rare ids from inflating others.
    if (counters[a]! < next) counters[a] = next;
    if (counters[b]! < next) counters[b] = next;
    if (counters[c]! < next) counters[c] = next;
    return next;
  }

  encode(writer: ByteWriter): void {
    writer.uint(this.#counted);
    writeArray(writer, this.#counters);
  }

  /** Takes over what {@linkcode AdmissionFilter.encode} wrote. */
  decode(reader: ByteReader): void {
    const counted = reader.uint();
    readArray(reader, this.#counters);
    this.#counted = counted;
  }
}
