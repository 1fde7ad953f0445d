/** The section `http` of the configuration. */

import { z } from "zod";
import { DEFAULT_READ_TYPES } from "../../../src/adapters/gorse.ts";
import { absent, field } from "../../settings/config_field.ts";
import { shapeOf } from "../../settings/option_schema.ts";
import { isNetwork } from "./clients.ts";
import { HTTP_LIMITS, type HttpLimits } from "./limits.ts";
import { type ApiKey, digestOf, MIN_KEY_LENGTH, type RateLimit, SCOPES } from "./access.ts";

/** Other systems whose HTTP calls the server can answer. */
export const DOORS = ["gorse", "metarank"] as const;

/** One of {@linkcode DOORS}. */
export type Door = (typeof DOORS)[number];

/** How the HTTP server behaves. docs/reference/configuration.md lists every key. */
export interface HttpSettings extends HttpLimits {
  /** API keys; without any, access is open. @default {[]} */
  readonly keys?: readonly ApiKey[] | undefined;
  /** Rate limit per key, or per client where there are no keys. @default {none} */
  readonly rateLimit?: RateLimit | undefined;
  /** Proxies whose `X-Forwarded-For` is true. @default {[]} */
  readonly proxies?: readonly string[] | undefined;
  /** Origins whose pages may call the API from a browser. @default {[]} */
  readonly cors?: readonly string[] | undefined;
  /**
   * Host names of the server, in addition to this machine's; requests to others are refused.
   *
   * @default {any; without keys on the loopback interface: none}
   */
  readonly hosts?: readonly string[] | undefined;
  /** Other systems whose HTTP calls are answered. @default {[]} */
  readonly doors?: readonly Door[] | undefined;
  /** How the Gorse API behaves. */
  readonly gorse?: GorseSettings | undefined;
}

/** How the Gorse API behaves. */
export interface GorseSettings {
  /** Feedback types that only say that the item was seen. @default {["read"]} */
  readonly readTypes?: readonly string[] | undefined;
}

const count = z.int().positive();

export const httpSchema: z.ZodType<HttpSettings> = z.strictObject({
  keys: field(
    z.array(z.strictObject({
      name: field(z.string().min(1), "name of the key in logs"),
      sha256: field(
        z.string().regex(/^[0-9a-fA-F]{64}$/, "wanted the SHA-256 of the key, 64 hexadecimal digits"),
        'SHA-256 of the key: `printf %s "$KEY" | sha256sum`; a key has at least 16 characters',
      ),
      scopes: field(z.array(z.enum(SCOPES)).min(1), "what it allows"),
    })).refine(
      (keys) => new Set(keys.flatMap((key) => [key.name, key.sha256.toLowerCase()])).size === 2 * keys.length,
      "wanted a different name and sha256 for each key",
    ),
    "keys that grant access; without any, access is open",
    [],
  ),
  rateLimit: field(
    z.strictObject({
      perSecond: field(
        z.number().positive(),
        "sustained requests per second of a key, which its clients share; without keys, of a client",
      ),
      burst: field(count.optional(), "requests at once, after a pause", absent("`perSecond`")),
    }),
    "how often a client may call",
    absent("none"),
  ),
  proxies: field(
    z.array(z.string().refine(isNetwork, "wanted an address or a network such as 10.0.0.0/8")),
    "addresses of proxies, whose `X-Forwarded-For` says who the clients are",
    [],
  ),
  ...shapeOf(HTTP_LIMITS),
  cors: field(
    z.array(z.string().regex(/^(\*|https?:\/\/[^/]+)$/, "wanted an origin such as https://shop.example")),
    "origins of pages that may call from a browser",
    [],
  ),
  hosts: field(
    z.array(z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)$/, "wanted a name such as shop.example"))
      .optional(),
    "names by which clients call the server (`Host`), in addition to this machine's; others are refused",
    absent("any; without keys on the loopback interface: none"),
  ),
  doors: field(
    z.array(z.enum(DOORS)),
    "other systems whose APIs are served, too; see [migrate from Gorse or Metarank](../how-to/migrate-from-gorse-or-metarank.md)",
    [],
  ),
  gorse: z.strictObject({
    readTypes: field(
      z.array(z.string().min(1).max(64)),
      "types of feedback that only mean that the item was seen",
      DEFAULT_READ_TYPES,
    ),
  }).partial(),
}).partial();

/** Environment variable with a key that has all scopes. */
export const KEY_VARIABLE = "MEANDER_API_KEY";

/**
 * The keys of the settings and of the environment.
 *
 * @throws Error when the key of the environment is too short
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
