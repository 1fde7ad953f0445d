/**
 * Who a user, such as an anonymous session, turned out to be at its logins.
 *
 * ```text
 *                  alias of ann          alias of bob
 *   ───────────────────┼──────────────────────┼──────────▶ event time
 *    done here: ann's      done here: bob's      its own
 * ```
 *
 * A late behaviour goes to whoever owned its time. What was handed over to the user, such as by an earlier alias, is
 * passed on only at the next later alias: times grow from hop to hop, so nothing moves in a circle.
 *
 * @module
 */

/** Says that until some time, a user was another user. */
export interface Alias {
  /** Id of the other user. */
  readonly of: string;
  /** Event time of the alias, inclusive. */
  readonly until: number;
}

/** Most aliases kept: a user with more was not one person's session. */
const MOST_ALIASES = 8;

/**
 * Adds an alias, in order of time. Beyond {@linkcode MOST_ALIASES} one is dropped: the first whose successor names the
 * same user, else the oldest.
 */
export function withAlias(aliases: readonly Alias[], alias: Alias): readonly Alias[] {
  const others = aliases.filter(({ of, until }) => of !== alias.of || until !== alias.until);
  const all = [...others, alias].sort((a, b) => a.until - b.until);
  if (all.length <= MOST_ALIASES) return all;
  const repeated = all.findIndex(({ of }, at) => of === all[at + 1]?.of);
  return all.toSpliced(Math.max(0, repeated), 1);
}

/** The alias that owns behaviours at a time; `undefined` = the user itself does. */
export function aliasAt(aliases: readonly Alias[], time: number): Alias | undefined {
  return aliases.find(({ until }) => until >= time);
}

/** The alias that owns what was handed over to the user at `time`. */
export function aliasAfter(aliases: readonly Alias[], time: number): Alias | undefined {
  return aliases.find(({ until }) => until > time);
}
