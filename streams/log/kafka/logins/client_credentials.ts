/**
 * Tokens of OAuth 2 for a client's own id and secret (RFC 6749, 4.4).
 *
 * @module
 */

import { askEndpoint, textOf } from "./endpoint.ts";
import { renewed } from "./renewed.ts";

/** Who asks where. */
export interface ClientCredentials {
  /** URL that gives tokens; HTTPS, unless on this machine. */
  readonly tokenEndpoint: string;
  /** Id of the client. */
  readonly username: string;
  /** Its secret. */
  readonly password: string;
  /** What the token is to be for. @default {as the endpoint does} */
  readonly scope?: string | undefined;
}

const WHAT = "a token";
/** Life of a token whose endpoint does not tell. */
const DEFAULT_SECONDS = 300;
const LOCAL: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Gives tokens, each for most of its life. @throws TypeError when a secret would travel in the clear */
export function clientCredentials(
  { tokenEndpoint, username, password, scope }: ClientCredentials,
  now: () => number = Date.now,
): () => Promise<string> {
  const { protocol, hostname } = new URL(tokenEndpoint);
  if (protocol !== "https:" && !LOCAL.has(hostname)) {
    throw new TypeError(
      `Cannot ask ${tokenEndpoint} for tokens: the secret would not be encrypted, wanted https`,
    );
  }
  const basic = new TextEncoder().encode(`${encodeURIComponent(username)}:${encodeURIComponent(password)}`);
  return renewed(async () => {
    const asked = now();
    const answer = await askEndpoint(WHAT, tokenEndpoint, {
      method: "POST",
      headers: { authorization: `Basic ${basic.toBase64()}`, accept: "application/json" },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        ...(scope === undefined ? {} : { scope }),
      }),
    });
    const told = Number(answer["expires_in"] ?? NaN);
    const seconds = Number.isFinite(told) ? told : DEFAULT_SECONDS;
    return { value: textOf(answer, "access_token", WHAT), until: asked + seconds * 1000 };
  }, now);
}
