/**
 * Keys removed since the last publication, within a limit of bytes.
 *
 * @module
 */

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** An append-only list of keys in one byte array: two bytes of length, then UTF-8. */
export class KeyLog {
  #bytes = new Uint8Array(0);
  #used = 0;

  get bytes(): number {
    return this.#bytes.byteLength;
  }

  /**
   * Appends a key. Whether it fits depends on the keys alone, not on what is allocated: a decoded log goes on like the
   * one that was encoded.
   *
   * @returns `false`, without appending, if the keys would take more than `limitBytes`
   */
  append(key: Uint8Array, limitBytes: number): boolean {
    const end = this.#used + 2 + key.length;
    if (end > limitBytes) return false;
    if (end > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(end, Math.min(limitBytes, end + (end >>> 1))));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    this.#bytes[this.#used] = key.length;
    this.#bytes[this.#used + 1] = key.length >>> 8;
    this.#bytes.set(key, this.#used + 2);
    this.#used = end;
    return true;
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
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
