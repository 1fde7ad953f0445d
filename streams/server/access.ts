/**
 * Who may do what, and how often.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Problem } from "./problem.ts";

/** What keys may allow. */
export const SCOPES = ["events", "recommend", "read", "metrics", "experiments", "admin"] as const;

/** One of {@linkcode SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** A key that may be shown, by its digest: the key itself is nowhere but with its owner. */
export interface ApiKey {
  /** What it is called in logs and metrics. */
  readonly name: string;
  /** SHA-256 of the key, in hexadecimal. */
  readonly sha256: string;
  /** What it allows. */
  readonly scopes: readonly Scope[];
}

/** How many requests a key, or without keys an address, may make. */
export interface RateLimit {
  /** In the long run, a second. */
  readonly perSecond: number;
  /** At once, after a while of silence. @default {perSecond} */
  readonly burst?: number | undefined;
}

/** Options of an {@linkcode Access}. */
export interface AccessOptions {
  /** The keys; without any, everybody may do everything. */
  readonly keys: readonly ApiKey[];
  /** @default {none} */
  readonly rateLimit?: RateLimit | undefined;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
}

/** So many callers are remembered; one that is forgotten begins with a full bucket. */
const MAX_CALLERS = 10_000;

/** Digest of a key, as {@linkcode ApiKey} has it. */
export function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Checks keys and rates. */
export class Access {
  readonly #keys: ReadonlyMap<string, ApiKey>;
  readonly #limit: { readonly perSecond: number; readonly burst: number } | undefined;
  readonly #now: () => number;
  /** Oldest use first. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** Makes a door with these keys. */
  constructor({ keys, rateLimit, now }: AccessOptions) {
    // By digest: a look-up tells nothing about how much of a key was right.
    this.#keys = new Map(keys.map((key) => [key.sha256.toLowerCase(), key]));
    this.#limit = rateLimit &&
      { perSecond: rateLimit.perSecond, burst: rateLimit.burst ?? Math.max(1, rateLimit.perSecond) };
    this.#now = now;
  }

  /**
   * Lets a request in.
   *
   * @param address where it comes from
   * @throws Problem `unauthorized`, `forbidden` or `too-many-requests`
   */
  admit(headers: Headers, scope: Scope | null, address: string): void {
    const key = scope === null ? undefined : this.#keyFor(headers, scope);
    if (scope === null || this.#limit === undefined) return;
    const waitMs = this.#take(key?.name ?? address, this.#limit);
    if (waitMs <= 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    throw new Problem("too-many-requests", `More than ${this.#limit.perSecond} requests a second`, {
      headers: { "retry-after": String(seconds) },
    });
  }

  #keyFor(headers: Headers, scope: Scope): ApiKey | undefined {
    if (this.#keys.size === 0) return undefined;
    const [, bearer] = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "") ?? [];
    const shown = headers.get("x-api-key") ?? bearer;
    const key = shown === undefined ? undefined : this.#keys.get(digestOf(shown));
    if (key === undefined) {
      const detail = shown === undefined
        ? "There is no key in X-API-Key or Authorization"
        : "The key is not known";
      throw new Problem("unauthorized", detail, { headers: { "www-authenticate": "Bearer" } });
    }
    if (key.scopes.includes(scope)) return key;
    throw new Problem("forbidden", `The key ${key.name} has no scope ${scope}`);
  }

  /** Takes a token; how long to wait for one otherwise, milliseconds. */
  #take(caller: string, { perSecond, burst }: { perSecond: number; burst: number }): number {
    const now = this.#now();
    const last = this.#buckets.get(caller) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, last.tokens + (now - last.at) / 1000 * perSecond);
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    if (this.#buckets.size > MAX_CALLERS) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return tokens >= 1 ? 0 : (1 - tokens) / perSecond * 1000;
  }
}
