/**
 * API keys, scopes and rate limits.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Problem } from "./problem.ts";

/** Scopes of keys. */
export const SCOPES = [
  "events",
  "items",
  "merge",
  "recommend",
  "read",
  "metrics",
  "experiments",
  "admin",
] as const;

/** One of {@linkcode SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** An API key, of which only the digest is known. */
export interface ApiKey {
  /** Its name in logs and metrics. */
  readonly name: string;
  /** SHA-256 of the key, in hexadecimal. */
  readonly sha256: string;
  /** Its scopes. */
  readonly scopes: readonly Scope[];
}

/** Requests allowed per key, or per address where there are no keys. */
export interface RateLimit {
  /** Sustained requests per second. */
  readonly perSecond: number;
  /** Requests allowed at once after a pause. @default {perSecond} */
  readonly burst?: number | undefined;
}

/** Options of an {@linkcode Access}. */
export interface AccessOptions {
  /** The keys; without any, everything is open. */
  readonly keys: readonly ApiKey[];
  /** @default {none} */
  readonly rateLimit?: RateLimit | undefined;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** A token bucket: tokens per second, and its size. */
interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Wrong keys allowed per address. */
const WRONG: Rate = { perSecond: 1, burst: 20 };

/**
 * Shortest key, in characters. Guessing is not blocked for addresses with a right key, so it must be hopeless: 16 random
 * hexadecimal digits take 10^8 years at 1,000 guesses per second.
 */
export const MIN_KEY_LENGTH = 16;

/** Most callers with a bucket; a forgotten one starts with a full bucket. */
const MAX_CALLERS = 10_000;

/** Digest of a key, as in {@linkcode ApiKey}. */
export function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Checks that the key of a request has a further scope. @throws Problem `forbidden` */
export type Demand = (scope: Scope) => void;

/** A request that may go on. */
export interface Admitted {
  readonly caller: string;
  readonly demand: Demand;
}

/** Checks keys and rates. */
export class Access {
  readonly #keys: ReadonlyMap<string, ApiKey>;
  readonly #limit: Rate | undefined;
  readonly #now: () => number;
  /** Oldest use first. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** Admits requests with these keys. */
  constructor({ keys, rateLimit, now }: AccessOptions) {
    // Looked up by digest, so timing reveals nothing about how much of a key was right.
    this.#keys = new Map(keys.map((key) => [key.sha256.toLowerCase(), key]));
    this.#limit = rateLimit &&
      { perSecond: rateLimit.perSecond, burst: rateLimit.burst ?? Math.max(1, rateLimit.perSecond) };
    this.#now = now;
  }

  /**
   * Admits a request.
   *
   * @param address where it comes from
   * @returns who calls, and what checks its further scopes
   * @throws Problem `unauthorized`, `forbidden` or `too-many-requests`
   */
  admit(headers: Headers, scope: Scope | null, address: string): Admitted {
    const key = scope === null ? undefined : this.#keyFor(headers, scope, address);
    const caller = key?.name ?? address;
    if (scope !== null && this.#limit !== undefined) this.#pay(`caller ${caller}`, this.#limit, "requests");
    return { caller, demand: (further) => demand(key, further) };
  }

  #keyFor(headers: Headers, scope: Scope, address: string): ApiKey | undefined {
    if (this.#keys.size === 0) return undefined;
    const [, bearer] = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "") ?? [];
    const shown = headers.get("x-api-key") ?? bearer;
    const isLong = shown !== undefined && shown.length >= MIN_KEY_LENGTH;
    // Checked before anything is counted: other clients behind the same proxy may have tried wrong keys.
    const key = isLong ? this.#keys.get(digestOf(shown)) : undefined;
    if (key === undefined) {
      this.#pay(`wrong ${address}`, WRONG, "wrong keys");
      throw new Problem("unauthorized", whyNot(shown), { headers: { "www-authenticate": "Bearer" } });
    }
    demand(key, scope);
    return key;
  }

  /** Takes a token. @throws Problem `too-many-requests` when there is none */
  #pay(caller: string, rate: Rate, what: string): void {
    const waitMs = this.#take(caller, rate);
    if (waitMs <= 0) return;
    throw new Problem("too-many-requests", `More than ${rate.perSecond} ${what} a second`, {
      headers: { "retry-after": String(Math.ceil(waitMs / 1000)) },
    });
  }

  /** Takes a token if there is one. @returns milliseconds to wait for one; 0 when it was taken */
  #take(caller: string, { perSecond, burst }: Rate): number {
    const now = this.#now();
    const last = this.#buckets.get(caller) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, last.tokens + (now - last.at) / 1000 * perSecond);
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    const [oldest] = this.#buckets.size > MAX_CALLERS ? this.#buckets.keys() : [];
    if (oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1 ? 0 : (1 - tokens) / perSecond * 1000;
  }
}

/** @param key `undefined`: none is needed @throws Problem `forbidden` */
function demand(key: ApiKey | undefined, scope: Scope): void {
  if (key === undefined || key.scopes.includes(scope)) return;
  throw new Problem("forbidden", `The key ${key.name} has no scope ${scope}`);
}

function whyNot(shown: string | undefined): string {
  if (shown === undefined) return "There is no key in X-API-Key or Authorization";
  return shown.length < MIN_KEY_LENGTH
    ? `The key is not known: a key has at least ${MIN_KEY_LENGTH} characters`
    : "The key is not known";
}
