/**
 * Checks that the attributes of a filter exist: an unknown one would let nothing through, or everything.
 *
 * @module
 */

import { nearName } from "../../../src/events/keys/near_name.ts";
import type { Catalogue } from "../../../src/items/catalogue.ts";

/** The part of a catalogue that the check needs. */
export type AttributeCatalogue = Pick<Catalogue, "items" | "size" | "schema">;

/** How long the attributes found in the catalogue count as complete, milliseconds. */
const BELIEVED_MS = 1000;
/** Most names that are remembered; beyond that, every attribute is accepted. */
const MAX_NAMES = 1000;

/**
 * Finds unknown attributes. One that was found on an item stays known. For others, it scans the catalogue, O(items), at
 * most once a second.
 */
export class AttributeCheck {
  readonly #catalogue: () => AttributeCatalogue | undefined;
  readonly #clock: () => number;
  readonly #present = new Set<string>();
  #lookedAt = -Infinity;

  /** Checks against a catalogue; without one (`undefined`), every attribute is accepted. */
  constructor(catalogue: () => AttributeCatalogue | undefined, clock: () => number) {
    this.#catalogue = catalogue;
    this.#clock = clock;
  }

  /** A sentence about the first attribute that no item has and no configuration names; `null` = all are known. */
  unknown(names: readonly string[]): string | null {
    const catalogue = this.#catalogue();
    if (catalogue === undefined || catalogue.size === 0) return null;
    const { itemFields, crosses } = catalogue.schema;
    const name = names.find((one) =>
      !itemFields.includes(one) && !crosses.includes(one) && !this.#isPresent(one, catalogue)
    );
    if (name === undefined) return null;
    const near = nearName(name, [...new Set([...itemFields, ...crosses, ...this.#present])]);
    const hint = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
    return `Cannot filter by attribute ${
      JSON.stringify(name)
    }: no item has it, and no configuration names it${hint}`;
  }

  #isPresent(name: string, catalogue: AttributeCatalogue): boolean {
    const now = this.#clock();
    if (!this.#present.has(name) && now - this.#lookedAt >= BELIEVED_MS) {
      this.#lookedAt = now;
      for (const { attributes } of catalogue.items()) {
        for (const own of Object.keys(attributes)) if (this.#present.size < MAX_NAMES) this.#present.add(own);
      }
    }
    return this.#present.has(name) || this.#present.size >= MAX_NAMES;
  }
}
