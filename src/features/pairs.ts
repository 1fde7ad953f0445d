/**
 * Cross features of who looks and what is shown, for the wide part of the logit: a first-order weight for each pair
 * of a user or a field of the user with a category or a crossed attribute of the item. They learn what is liked by
 * whom beyond what all else explains, as the random effects of a mixed model do.
 *
 * Keys: `u<id>` or `f<index>=<value>`, then `c<category>` or `a<index>=<value>`, each ended by a control character,
 * which no id contains, so that the pairs of a user are those with one prefix.
 *
 * @module
 */

/** What all pairs of a user begin with. */
export function userPrefix(user: string): string {
  return `u${user}\0`;
}

/** What the pairs of an impression begin with; those of the user's fields only, when the user is `null`. */
export function pairPrefixes(user: string | null, userFields: readonly (string | null)[]): readonly string[] {
  const prefixes = user === null ? [] : [userPrefix(user)];
  for (const [f, value] of userFields.entries()) {
    if (value !== null) prefixes.push(`f${f}=${value}\0`);
  }
  return prefixes;
}

/** A candidate, as far as pairs are made of it. */
interface PairedRow {
  readonly categories: readonly string[];
  readonly fields: readonly (string | null)[];
}

/**
 * Calls `use` with each key of a candidate, in a fixed order.
 *
 * @param crossed indices of the item fields that are crossed
 */
export function forEachPair(
  prefixes: readonly string[],
  { categories, fields }: PairedRow,
  crossed: readonly number[],
  use: (key: string) => void,
): void {
  for (const prefix of prefixes) {
    for (const category of categories) use(`${prefix}c${category}`);
    for (const index of crossed) {
      const value = fields[index];
      if (value !== null && value !== undefined) use(`${prefix}a${index}=${value}`);
    }
  }
}

/** The weights of the pairs of one impression, each looked up once: candidates share categories and attributes. */
export class PairWeights {
  readonly #prefixes: readonly string[];
  readonly #crossed: readonly number[];
  readonly #weightOf: (key: string) => number;
  /** By category, and by value of each crossed field; one weight for each prefix. */
  readonly #categories = new Map<string, readonly number[]>();
  readonly #fields: readonly Map<string, readonly number[]>[];
  /** Those of the candidate in hand. */
  readonly #parts: (readonly number[])[] = [];

  /** @param crossed indices of the item fields that are crossed */
  constructor(
    prefixes: readonly string[],
    crossed: readonly number[],
    weightOf: (key: string) => number,
  ) {
    this.#prefixes = prefixes;
    this.#crossed = crossed;
    this.#weightOf = weightOf;
    this.#fields = crossed.map(() => new Map());
  }

  /** Adds the weights of a candidate to `z`, in the order of {@linkcode forEachPair}. */
  addTo(z: number, { categories, fields }: PairedRow): number {
    const parts = this.#parts;
    parts.length = 0;
    for (const category of categories) {
      parts.push(this.#categories.get(category) ?? this.#look(this.#categories, category, `c${category}`));
    }
    for (let c = 0; c < this.#crossed.length; c++) {
      const index = this.#crossed[c]!;
      const value = fields[index];
      if (value === null || value === undefined) continue;
      const known = this.#fields[c]!;
      parts.push(known.get(value) ?? this.#look(known, value, `a${index}=${value}`));
    }
    for (let p = 0; p < this.#prefixes.length; p++) {
      for (let i = 0; i < parts.length; i++) z += parts[i]![p]!;
    }
    return z;
  }

  #look(known: Map<string, readonly number[]>, value: string, suffix: string): readonly number[] {
    const weights = this.#prefixes.map((prefix) => this.#weightOf(prefix + suffix));
    known.set(value, weights);
    return weights;
  }
}
