/**
 * The sessions that a user was before a login, kept while their lists may be open. An outcome of such a list that
 * arrives after the login is forwarded to the session's task, which holds the list:
 *
 * ```text
 *   session   list ●──────── alias of ann ───────────── label 1 ──▶ sample
 *                              │ merge                     ▲ merge with the outcome
 *   ann                        ▼ ───────────── click ──────┘
 * ```
 *
 * @module
 */

/** A session whose lists may be open. */
export interface Session {
  readonly id: string;
  /** Event time of the login. */
  readonly login: number;
}

const MOST_SESSIONS = 8;

/** Adds a session, or a later login of it, in the order of logins. Beyond {@linkcode MOST_SESSIONS} the first is dropped. */
export function withSession(sessions: readonly Session[], session: Session): readonly Session[] {
  const { id } = session;
  const login = Math.max(session.login, ...sessions.filter((own) => own.id === id).map(({ login }) => login));
  const others = sessions.filter((own) => own.id !== id);
  return [...others, { id, login }].sort((a, b) => a.login - b.login).slice(-MOST_SESSIONS);
}

/** The sessions whose lists may have an outcome at `time`. @param openMs how long lists may have outcomes */
export function sessionsAt(sessions: readonly Session[], time: number, openMs: number): readonly Session[] {
  return sessions.filter(({ login }) => login + openMs >= time);
}
