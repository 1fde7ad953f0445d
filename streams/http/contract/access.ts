/** API keys, scopes and rate limits. */

import { createHash } from "node:crypto";
import { callerOf, Clients, ownerOf } from "./clients.ts";
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

/** Requests allowed per key, or per client where there are no keys. */
export interface RateLimit {
  /** Sustained requests per second. */
  readonly perSecond: number;
  /** Requests allowed at once after a pause. @default {perSecond, at least 1} */
  readonly burst?: number | undefined;
}

export interface AccessOptions {
  /** The keys; without any, everything is open. */
  readonly keys: readonly ApiKey[];
  /** @default {none} */
  readonly rateLimit?: RateLimit | undefined;
  /** Addresses and networks whose `X-Forwarded-For` is true. @default {[]} */
  readonly proxies?: readonly string[] | undefined;
  /** Notified of each request that a limit refuses. @default {nothing} */
  readonly limited?: ((limit: Limit) => void) | undefined;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** The limit that refuses a request: the rate of its key or client, the client's share of it, or its wrong keys. */
export type Limit = "rate" | "share" | "wrong-keys";

/** A token bucket: tokens per second, and its size. */
interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Part of a key's rate that is reserved for each client while there is not enough for all: half of the burst, then
 * this part of the rate.
 */
const SHARE = 1 / 20;

/**
 * How many clients at once the owner of a network may be for its rate; its burst is that of one. A carrier's customers may
 * share such a network, and whoever rents one may send from 65,536 clients.
 */
const OWNER_CLIENTS = 4;

/** Its tokens as of a time, and how many it gains per second. */
interface Bucket {
  tokens: number;
  readonly at: number;
  readonly perSecond: number;
}

/** Wrong keys allowed per owner of a network: right ones of others there are let in all the same. */
const WRONG: Rate = { perSecond: 1, burst: 20 };

/**
 * Shortest key, in characters. Guessing is not blocked for addresses with a right key, so it must be hopeless: 16 random
 * hexadecimal digits take 10^8 years at 1,000 guesses per second.
 */
export const MIN_KEY_LENGTH = 16;

/** Most buckets of a kind; a forgotten one counts as full. */
const MAX_BUCKETS = 10_000;

/** Digest of a key, as in {@linkcode ApiKey}. */
export function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Checks that the key of a request has a further scope. @throws Problem `forbidden` */
export type Demand = (scope: Scope) => void;

export interface Admitted {
  /** See {@linkcode callerOf}. */
  readonly caller: string;
  readonly demand: Demand;
  /** Whether its key has a further scope. */
  readonly may: (scope: Scope) => boolean;
}

/**
 * Checks keys and rates. Visitors of a page may share its key, so half of the key's bucket is divided among clients:
 *
 * ```text
 *   bucket of a key  ├── half: only for clients with a token of their own ──┼── half: for any client ──┤
 * ```
 *
 * A client that is alone has the whole rate and burst. One that requests too much while others are active empties the
 * free half, and then gets its share; the others get the rest. All clients in a network of one owner together get at most
 * the share of {@linkcode OWNER_CLIENTS}.
 */
export class Access {
  readonly #keys: ReadonlyMap<string, ApiKey>;
  readonly #rate: Rate | undefined;
  readonly #clients: Clients;
  readonly #limited: (limit: Limit) => void;
  readonly #now: () => number;
  /** Oldest use first. Kinds do not displace each other: there are few keys, and anybody can send wrong ones. */
  readonly #buckets = {
    key: new Map<string, Bucket>(),
    client: new Map<string, Bucket>(),
    owner: new Map<string, Bucket>(),
    wrong: new Map<string, Bucket>(),
  };

  /** Admits requests with these keys. */
  constructor({ keys, rateLimit, proxies, limited = () => {}, now }: AccessOptions) {
    // Looked up by digest, so timing reveals nothing about how much of a key was right.
    this.#keys = new Map(keys.map((key) => [key.sha256.toLowerCase(), key]));
    this.#rate = rateLimit &&
      { perSecond: rateLimit.perSecond, burst: rateLimit.burst ?? Math.max(1, rateLimit.perSecond) };
    this.#clients = new Clients(proxies);
    this.#limited = limited;
    this.#now = now;
  }

  /**
   * Admits a request.
   *
   * @param address the other end of its connection
   * @returns the caller, and functions that check further scopes
   * @throws Problem `unauthorized`, `forbidden` or `too-many-requests`
   */
  admit(headers: Headers, scope: Scope | null, address: string): Admitted {
    const client = this.#clients.of(address, headers);
    if (scope === null) return { caller: callerOf(undefined, client), demand: () => {}, may: () => true };
    const key = this.#keyFor(headers, scope, client);
    if (this.#rate !== undefined) this.#pay(key?.name, client, this.#rate);
    return {
      caller: callerOf(key?.name, client),
      demand: (further) => demand(key, further),
      may: (further) => may(key, further),
    };
  }

  #keyFor(headers: Headers, scope: Scope, client: string): ApiKey | undefined {
    if (this.#keys.size === 0) return undefined;
    const [, bearer] = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "") ?? [];
    const shown = headers.get("x-api-key") ?? bearer;
    const isLong = shown !== undefined && shown.length >= MIN_KEY_LENGTH;
    // Checked before wrong keys are counted: other clients behind the same proxy may have tried them.
    const key = isLong ? this.#keys.get(digestOf(shown)) : undefined;
    if (key === undefined) {
      const tries = this.#bucket("wrong", ownerOf(client), WRONG);
      if (tries.tokens < 1) {
        this.#refuse("wrong-keys", `More than ${WRONG.perSecond} wrong keys per second`, msUntil(1, [tries]));
      }
      tries.tokens--;
      throw new Problem("unauthorized", whyNot(shown), { headers: { "www-authenticate": "Bearer" } });
    }
    demand(key, scope);
    return key;
  }

  /** Takes the tokens that a request costs, or none. @throws Problem `too-many-requests` */
  #pay(key: string | undefined, client: string, rate: Rate): void {
    const common = key === undefined ? this.#nested("", client, rate) : [this.#bucket("key", key, rate)];
    const free = Math.min(rate.burst, 1 + rate.burst / 2);
    const share = { perSecond: rate.perSecond * SHARE, burst: Math.ceil(rate.burst / 2) };
    const own = key === undefined || common.every(({ tokens }) => tokens >= free)
      ? []
      : this.#nested(key, client, share);
    const ownMs = own.length === 0 ? 0 : Math.min(msUntil(1, own), msUntil(free, common));
    const detail = `More than ${rate.perSecond} requests per second`;
    if (isShort(common)) this.#refuse("rate", detail, Math.max(ownMs, msUntil(1, common)));
    if (isShort(own)) {
      this.#refuse("share", `${detail} with the key, and more than this client's share of them`, ownMs);
    }
    for (const bucket of [...common, ...own]) bucket.tokens--;
  }

  /** The buckets of a client and of the owner of its network, each of which a request has to pay. */
  #nested(key: string, client: string, rate: Rate): readonly Bucket[] {
    const own = this.#bucket("client", `${key} ${client}`, rate);
    const owner = ownerOf(client);
    if (owner === client) return [own];
    const all = { perSecond: OWNER_CLIENTS * rate.perSecond, burst: rate.burst };
    return [own, this.#bucket("owner", `${key} ${owner}`, all)];
  }

  #refuse(limit: Limit, detail: string, waitMs: number): never {
    this.#limited(limit);
    throw new Problem("too-many-requests", detail, {
      headers: { "retry-after": String(Math.ceil(waitMs / 1000)) },
    });
  }

  /** A bucket, filled up to now. */
  #bucket(kind: "key" | "client" | "owner" | "wrong", name: string, { perSecond, burst }: Rate): Bucket {
    const buckets = this.#buckets[kind];
    const now = this.#now();
    const { tokens, at } = buckets.get(name) ?? { tokens: burst, at: now };
    const bucket = { tokens: Math.min(burst, tokens + (now - at) / 1000 * perSecond), at: now, perSecond };
    buckets.delete(name);
    buckets.set(name, bucket);
    const [oldest] = buckets.size > MAX_BUCKETS ? buckets.keys() : [];
    if (oldest !== undefined) buckets.delete(oldest);
    return bucket;
  }
}

/** Milliseconds until all buckets have this many tokens. */
function msUntil(tokens: number, buckets: readonly Bucket[]): number {
  return Math.max(...buckets.map((bucket) => (tokens - bucket.tokens) / bucket.perSecond * 1000));
}

function isShort(buckets: readonly Bucket[]): boolean {
  return buckets.some(({ tokens }) => tokens < 1);
}

/** @param key `undefined`: none is needed @throws Problem `forbidden` */
function demand(key: ApiKey | undefined, scope: Scope): void {
  if (!may(key, scope)) throw new Problem("forbidden", `The key ${key?.name} lacks the scope ${scope}`);
}

function may(key: ApiKey | undefined, scope: Scope): boolean {
  return key === undefined || key.scopes.includes(scope);
}

function whyNot(shown: string | undefined): string {
  if (shown === undefined) return "Neither X-API-Key nor Authorization has a key";
  return shown.length < MIN_KEY_LENGTH
    ? `The key is not known: a key has at least ${MIN_KEY_LENGTH} characters`
    : "The key is not known";
}
