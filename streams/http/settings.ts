/**
 * The section `http` of the configuration.
 *
 * @module
 */

import { z } from "zod";
import { type Door, DOORS } from "./door_names.ts";
import { absent, field } from "../settings/config_field.ts";
import { type ApiKey, digestOf, MIN_KEY_LENGTH, type RateLimit, SCOPES } from "./access.ts";

/** How the HTTP server behaves. docs/reference/http.md lists every key. */
export interface HttpSettings {
  /** Keys that are let in; without any, everybody is. @default {[]} */
  readonly keys?: readonly ApiKey[] | undefined;
  /** How many requests a key, or without keys an address, may make. @default {none} */
  readonly rateLimit?: RateLimit | undefined;
  /** Largest body in bytes, packed and unpacked. @default {8 MiB} */
  readonly maxBodyBytes?: number | undefined;
  /** Bytes of all bodies that are being read or worked on at a time. @default {64 MiB} */
  readonly maxInFlightBytes?: number | undefined;
  /** Most events or items of a body. @default {10_000} */
  readonly maxEntries?: number | undefined;
  /** How long an answer is waited for, milliseconds. @default {2000} */
  readonly answerTimeoutMs?: number | undefined;
  /** Requests that may wait for an answer at a time. @default {1000} */
  readonly maxWaiting?: number | undefined;
  /** Connections that may be open at a time. @default {1000} */
  readonly maxConnections?: number | undefined;
  /**
   * Events that may wait to be applied, on a log that no other process has: who sends more waits for the tasks.
   * @default {1_000_000}
   */
  readonly maxBehind?: number | undefined;
  /** Origins of pages that may call us from a browser. @default {[]} */
  readonly cors?: readonly string[] | undefined;
  /**
   * Names by which clients call us, beside those of this machine; others are refused.
   * @default {any; without keys on the loopback interface: none}
   */
  readonly hosts?: readonly string[] | undefined;
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
  keys: field(
    z.array(z.strictObject({
      name: field(z.string().min(1), "what logs call it"),
      sha256: field(
        z.string().regex(/^[0-9a-fA-F]{64}$/, "wanted the SHA-256 of the key, 64 hexadecimal digits"),
        'its digest: `printf %s "$KEY" | sha256sum`; a key has at least 16 characters',
      ),
      scopes: field(z.array(z.enum(SCOPES)).min(1), "what it allows"),
    })),
    "whom to let in; without keys, everybody",
    [],
  ),
  rateLimit: field(
    z.strictObject({
      perSecond: field(
        z.number().positive(),
        "requests of a key (without keys, of an address) in the long run",
      ),
      burst: field(count.optional(), "requests at once, after a silence", absent("`perSecond`")),
    }),
    "how often",
    absent("none"),
  ),
  maxBodyBytes: field(count, "largest body, packed and unpacked", 8_388_608),
  maxInFlightBytes: field(
    count,
    "bytes of all bodies that are being read or worked on at a time, an eighth of them for those of at most 8 KB; one more gets 503",
    67_108_864,
  ),
  maxEntries: field(count, "most events or items of a body", 10_000),
  answerTimeoutMs: field(count, "how long an answer is waited for", 2000),
  maxWaiting: field(count, "requests that may wait at a time; one more gets 503", 1000),
  maxConnections: field(
    count,
    "open at a time; beyond them the one that has been idle for the longest is closed",
    1000,
  ),
  maxBehind: field(
    count,
    "on SQLite: events that may wait to be applied; who sends more waits until there are fewer, then gets 503",
    1_000_000,
  ),
  cors: field(
    z.array(z.string().regex(/^(\*|https?:\/\/[^/]+)$/, "wanted an origin such as https://shop.example")),
    "origins of pages that may call from a browser",
    [],
  ),
  hosts: field(
    z.array(z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)$/, "wanted a name such as shop.example"))
      .optional(),
    "names by which clients call us (`Host`), beside those of this machine; others are refused",
    absent("any; without keys on the loopback interface: none"),
  ),
  doors: field(
    z.array(z.enum(DOORS)),
    "other systems whose calls are answered, too; see [migrate-from-gorse-or-metarank.md](../how-to/migrate-from-gorse-or-metarank.md)",
    [],
  ),
  gorse: z.strictObject({
    readTypes: field(
      z.array(z.string().min(1).max(64)),
      "types of feedback that say no more than that somebody saw the item",
      ["read"],
    ),
  }).partial(),
}).partial();

/** Environment variable with a key that allows everything. */
export const KEY_VARIABLE = "MEANDER_API_KEY";

/**
 * The keys of the settings, and that of the environment if there is one.
 *
 * @throws Error when that is too short to be a key
 */
export function keysOf({ keys = [] }: HttpSettings, environmentKey: string | undefined): readonly ApiKey[] {
  if (environmentKey === undefined || environmentKey === "") return keys;
  if (environmentKey.length < MIN_KEY_LENGTH) {
    throw new Error(
      `Cannot take ${KEY_VARIABLE} as a key: it has ${environmentKey.length} characters, and a key has at least ` +
        `${MIN_KEY_LENGTH}; make one with openssl rand -hex 16`,
    );
  }
  return [...keys, { name: "environment", sha256: digestOf(environmentKey), scopes: SCOPES }];
}
