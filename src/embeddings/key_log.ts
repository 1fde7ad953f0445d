/** Keys removed since the last publication, within a limit of bytes. */

import { grown } from "../values/grown.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A list of keys in one byte array: two bytes of length, then UTF-8. Incomplete before the first publication. */
export class KeyLog {
  #bytes = new Uint8Array(0);
  #used = 0;
  #isComplete = false;

  get bytes(): number {
    return this.#bytes.byteLength;
  }

  /** Whether it has all keys that were removed; else it has none. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /**
   * Appends a key to a complete list; one that would take more than `limitBytes` becomes incomplete. Whether it fits
   * depends on the keys alone, not on what is allocated: a decoded log goes on like the one that was encoded.
   */
  append(key: Uint8Array, limitBytes: number): void {
    if (!this.#isComplete) return;
    const end = this.#used + 2 + key.length;
    if (end > limitBytes) return this.lose();
    if (end > this.#bytes.length) {
      const length = Math.max(end, Math.min(limitBytes, end + (end >>> 1)));
      this.#bytes = grown(this.#bytes, new Uint8Array(length));
    }
    this.#bytes[this.#used] = key.length;
    this.#bytes[this.#used + 1] = key.length >>> 8;
    this.#bytes.set(key, this.#used + 2);
    this.#used = end;
  }

  /** Drops all keys; the list is incomplete until it is cleared. */
  lose(): void {
    this.clear();
    this.#isComplete = false;
  }

  /** Starts anew after a publication. */
  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
    this.#isComplete = true;
  }

  /** The keys in the order of removal, possibly repeated. */
  *keys(): Generator<string> {
    for (let at = 0; at < this.#used;) {
      const end = at + 2 + (this.#bytes[at]! | this.#bytes[at + 1]! << 8);
      yield decoder.decode(this.#bytes.subarray(at + 2, end));
      at = end;
    }
  }
}
