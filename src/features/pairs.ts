/**
 * Cross features of the user and the item, for the wide part of the logit: a first-order weight for each pair
 * of a user or a field of the user with a category or a crossed attribute of the item. They learn which user likes
 * what beyond everything else in the model, like the random effects of a mixed model.
 *
 * Keys: `u<id>` or `f<index>=<value>`, a NUL, which no id contains, and `c<category>` or `a<index>=<value>`, so that
 * the pairs of a user are those with one prefix.
 *
 * @module
 */

export function userPrefix(user: string): string {
  return `u${user}\0`;
}

/** The user of a pair's key; `null` = it is the pair of a field. */
export function userOfPair(key: string): string | null {
  return key.startsWith("u") ? key.slice(1, key.indexOf("\0")) : null;
}

/** The prefixes of an impression's pairs; only those of the user's fields if the user is `null`. */
export function pairPrefixes(user: string | null, userFields: readonly (string | null)[]): readonly string[] {
  const prefixes = user === null ? [] : [userPrefix(user)];
  for (const [f, value] of userFields.entries()) {
    if (value !== null) prefixes.push(`f${f}=${value}\0`);
  }
  return prefixes;
}

/** The end of the key of a pair with a category. */
export function categorySuffix(category: string): string {
  return `c${category}`;
}

/** The end of the key of a pair with an item field. */
export function fieldSuffix(index: number, value: string): string {
  return `a${index}=${value}`;
}
