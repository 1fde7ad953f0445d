/**
 * A reservoir of recent behaviours, from which the auxiliary loss draws its negatives: popularity-weighted,
 * seeded, never equal to the positive.
 *
 * @module
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { mulberry32 } from "../draws/random.ts";
import type { SampleHistory } from "../samples/sample.ts";
import { times } from "../values/times.ts";

/** A behaviour that may be drawn. */
export interface ReservoirEntry {
  readonly item: string;
  readonly categories: readonly string[];
}

interface KeptEntry extends ReservoirEntry {
  /** Its encoding, cached: most entries are written many times before they are overwritten. */
  words?: string;
}

const TRIES = 8;
const PADDING: ReservoirEntry = { item: "", categories: [] };

/** A ring of the newest behaviours. */
export class NegativeReservoir {
  readonly #capacity: number;
  readonly #seed: number;
  #entries: KeptEntry[] = [];
  #next = 0;
  #draws = 0;

  constructor(capacity: number, seed: number) {
    this.#capacity = capacity;
    this.#seed = seed;
  }

  /** Adds the newest behaviour of a history. */
  update(history: SampleHistory): void {
    const last = history.items.length - 1;
    if (last < 0) return;
    this.#entries[this.#next] = { item: history.items[last]!, categories: history.categories[last]! };
    this.#next = (this.#next + 1) % this.#capacity;
  }

  /** A random behaviour whose item is not `positive`, or the padding entry if a few tries find none. */
  draw(positive: string): ReservoirEntry {
    const random = mulberry32((this.#seed + Math.imul(this.#draws++, 0x9e3779b9)) >>> 0);
    for (let i = 0; i < TRIES; i++) {
      const entry = this.#entries[Math.floor(random() * this.#entries.length)];
      if (entry !== undefined && entry.item !== positive) return entry;
    }
    return PADDING;
  }

  encode(to: ByteWriter): void {
    to.uint(this.#next).uint(this.#draws).uint(this.#entries.length);
    for (const entry of this.#entries) {
      to.string(entry.words ??= JSON.stringify([entry.item, ...entry.categories]));
    }
  }

  /** Reads what {@linkcode NegativeReservoir.encode} wrote; it replaces the present state. */
  decode(from: ByteReader): void {
    this.#next = from.uint();
    this.#draws = from.uint();
    this.#entries = times(from.count(), () => {
      const [item, ...categories] = from.json<[string, ...string[]]>();
      return { item, categories };
    });
  }
}
