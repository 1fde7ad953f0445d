/**
 * Who a user was all along, such as an anonymous session before its logins.
 *
 * ```text
 *                  alias of ann          alias of bob
 *   ───────────────────┼──────────────────────┼──────────▶ event time
 *    done here: ann's      done here: bob's      its own
 * ```
 *
 * What comes late goes to whom it was then. What was handed over to the user, such as by an earlier alias, goes on at the
 * next later alias only: its time grows from hop to hop, so nothing goes in a circle.
 *
 * @module
 */

/** That a user was another one until some time. */
export interface Alias {
  /** Id of the other one. */
  readonly of: string;
  /** Event time of the alias, inclusive. */
  readonly until: number;
}

/** Most that are kept: whoever has more was nobody's session. */
const MOST_ALIASES = 8;

/** Adds an alias, by time. One beyond {@linkcode MOST_ALIASES} goes: the first whose next is of the same user, else the oldest. */
export function withAlias(aliases: readonly Alias[], alias: Alias): readonly Alias[] {
  const others = aliases.filter(({ of, until }) => of !== alias.of || until !== alias.until);
  const all = [...others, alias].sort((a, b) => a.until - b.until);
  if (all.length <= MOST_ALIASES) return all;
  const repeated = all.findIndex(({ of }, at) => of === all[at + 1]?.of);
  return all.toSpliced(Math.max(0, repeated), 1);
}

/** The alias that takes what was done at a time; `undefined` = it is the user's own. */
export function aliasAt(aliases: readonly Alias[], time: number): Alias | undefined {
  return aliases.find(({ until }) => until >= time);
}

/** The alias that takes what was handed over at a time. */
export function aliasAfter(aliases: readonly Alias[], time: number): Alias | undefined {
  return aliases.find(({ until }) => until > time);
}
