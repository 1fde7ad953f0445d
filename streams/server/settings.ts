/**
 * The section `http` of the configuration.
 *
 * @module
 */

import { z } from "zod";
import { type Door, DOORS } from "../doors/names.ts";
import { type ApiKey, digestOf, type RateLimit, SCOPES } from "./access.ts";

/** How the HTTP server behaves. docs/http.md lists every key. */
export interface HttpSettings {
  /** Keys that are let in; without any, everybody is. @default {[]} */
  readonly keys?: readonly ApiKey[] | undefined;
  /** How many requests a key, or without keys an address, may make. @default {none} */
  readonly rateLimit?: RateLimit | undefined;
  /** Largest body in bytes, packed and unpacked. @default {8 MiB} */
  readonly maxBodyBytes?: number | undefined;
  /** Most events or items of a body. @default {10_000} */
  readonly maxEntries?: number | undefined;
  /** How long an answer is waited for, milliseconds. @default {2000} */
  readonly answerTimeoutMs?: number | undefined;
  /** Requests that may wait for an answer at a time. @default {1000} */
  readonly maxWaiting?: number | undefined;
  /** Origins of pages that may call us from a browser. @default {[]} */
  readonly cors?: readonly string[] | undefined;
  /** Other systems whose calls are answered, too. @default {[]} */
  readonly doors?: readonly Door[] | undefined;
  /** How the door of Gorse behaves. */
  readonly gorse?: GorseSettings | undefined;
}

/** How the door of Gorse behaves. */
export interface GorseSettings {
  /** Types of feedback that say no more than that somebody saw the item. @default {["read"]} */
  readonly readTypes?: readonly string[] | undefined;
}

const count = z.int().positive();

/** The schema of {@linkcode HttpSettings}. */
export const httpSchema: z.ZodType<HttpSettings> = z.strictObject({
  keys: z.array(z.strictObject({
    name: z.string().min(1),
    sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, "wanted the SHA-256 of the key, 64 hexadecimal digits"),
    scopes: z.array(z.enum(SCOPES)).min(1),
  })),
  rateLimit: z.strictObject({ perSecond: z.number().positive(), burst: count.optional() }),
  maxBodyBytes: count,
  maxEntries: count,
  answerTimeoutMs: count,
  maxWaiting: count,
  cors: z.array(z.string().regex(/^(\*|https?:\/\/[^/]+)$/, "wanted an origin such as https://shop.example")),
  doors: z.array(z.enum(DOORS)),
  gorse: z.strictObject({ readTypes: z.array(z.string().min(1).max(64)) }).partial(),
}).partial();

/** Environment variable with a key that allows everything. */
export const KEY_VARIABLE = "MEANDER_API_KEY";

/** The keys of the settings, and that of the environment if there is one. */
export function keysOf({ keys = [] }: HttpSettings, environmentKey: string | undefined): readonly ApiKey[] {
  if (environmentKey === undefined || environmentKey === "") return keys;
  return [...keys, { name: "environment", sha256: digestOf(environmentKey), scopes: SCOPES }];
}
