/** OAuth 2 tokens by the client credentials grant (RFC 6749, 4.4). */

import { askEndpoint, textOf } from "./endpoint.ts";
import { renewed } from "./renewed.ts";
import { passwordOf } from "./secret_file.ts";
import type { KafkaAccount } from "./security.ts";

/** Credentials of a client, and where it gets tokens for them. */
export type ClientCredentials = KafkaAccount & {
  /** URL that issues tokens; HTTPS, unless on this machine. */
  readonly tokenEndpoint: string;
  /** Scope of the token. @default {the endpoint's} */
  readonly scope?: string | undefined;
};

const WHAT = "a token";
/** Lifetime of a token whose endpoint does not state it. */
const DEFAULT_SECONDS = 300;
const LOCAL: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Returns a function that returns a valid token. @throws TypeError when the secret would be sent unencrypted */
export function clientCredentials(
  account: ClientCredentials,
  now: () => number = Date.now,
): () => Promise<string> {
  const { tokenEndpoint, username, scope } = account;
  const { protocol, hostname } = new URL(tokenEndpoint);
  if (protocol !== "https:" && !LOCAL.has(hostname)) {
    throw new TypeError(
      `Cannot ask ${tokenEndpoint} for tokens: the secret would not be encrypted; use https`,
    );
  }
  return renewed(async () => {
    const asked = now();
    const pair = [username, await passwordOf(account)].map(encodeURIComponent).join(":");
    const basic = new TextEncoder().encode(pair);
    const answer = await askEndpoint(WHAT, tokenEndpoint, {
      method: "POST",
      headers: { authorization: `Basic ${basic.toBase64()}`, accept: "application/json" },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        ...(scope === undefined ? {} : { scope }),
      }),
    });
    const lifetime = Number(answer["expires_in"] ?? NaN);
    const seconds = Number.isFinite(lifetime) ? lifetime : DEFAULT_SECONDS;
    return { value: textOf(answer, "access_token", WHAT), until: asked + seconds * 1000 };
  }, now);
}
