/**
 * Logins in the form that kafkajs takes. Its own `oauthbearer` ignores the broker's answer: a refused token counts as a
 * login, and the next request fails as if the broker had gone away, which would be retried for minutes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import Encoder from "kafkajs/src/protocol/encoder.js";
import { KafkaJSConnectionError, KafkaJSSASLAuthenticationError } from "kafkajs/src/errors.js";
import type { KafkaLogin } from "./security.ts";
import { awsCredentials } from "./aws_credentials.ts";
import { mskToken } from "./aws_token.ts";
import { clientCredentials } from "./client_credentials.ts";
import { LoginError } from "./login_error.ts";

/** Gives a token that is valid now. */
type GetToken = () => Promise<string>;

interface Exchange {
  readonly request: { readonly encode: () => Promise<Uint8Array> };
  readonly response: {
    readonly decode: (bytes: Uint8Array) => Promise<Uint8Array>;
    readonly parse: (bytes: Uint8Array) => Promise<string>;
  };
}

export function saslOptions(login: KafkaLogin): object {
  const token = tokenOf(login);
  if (token === undefined) return { ...login };
  return {
    mechanism: "oauthbearer",
    authenticationProvider: (
      { saslAuthenticate }: { saslAuthenticate: (exchange: Exchange) => Promise<string> },
    ) => ({
      async authenticate() {
        const value = await token().catch(asKafka);
        const said = await saslAuthenticate(exchange(`n,,\u0001auth=Bearer ${value}\u0001\u0001`));
        if (said === "") return;
        // The broker gave a reason for refusing the token; it ends the exchange once we have acknowledged that.
        await saslAuthenticate(exchange("\u0001")).catch(() => {});
        throw new KafkaJSSASLAuthenticationError(`SASL OAUTHBEARER authentication failed: ${said}`);
      },
    }),
  };
}

function tokenOf(login: KafkaLogin): GetToken | undefined {
  if (login.mechanism === "aws-msk-iam") {
    const { region } = login;
    const credentials = awsCredentials(region);
    return async () => await mskToken(region, await credentials(), Date.now());
  }
  if (login.mechanism !== "oauthbearer") return undefined;
  if ("tokenEndpoint" in login) return clientCredentials(login);
  if ("tokenFile" in login) return () => tokenIn(login.tokenFile);
  const { oauthBearerProvider } = login;
  return async () => (await oauthBearerProvider()).value;
}

/** Reads the token at each login, because another program renews the file. */
async function tokenIn(path: string): Promise<string> {
  const token = await readFile(path, "utf8").catch((cause) => {
    throw new LoginError(`Cannot read the token from ${path}: ${cause.message}`, true);
  });
  if (token.trim() === "") throw new LoginError(`Cannot log in by the token in ${path}: it is empty`, true);
  return token.trim();
}

/** Converts an error to one of kafkajs, which retries a passing one as it does a failed connection. */
function asKafka(error: unknown): never {
  if (!(error instanceof LoginError)) throw error;
  throw error.isPassing
    ? new KafkaJSConnectionError(error.message)
    : new KafkaJSSASLAuthenticationError(error.message);
}

function exchange(message: string): Exchange {
  return {
    request: { encode: () => Promise.resolve(new Encoder().writeBytes(Buffer.from(message)).buffer) },
    response: {
      decode: (bytes) => Promise.resolve(bytes.subarray(4)), // skips the length
      parse: (bytes) => Promise.resolve(new TextDecoder().decode(bytes)),
    },
  };
}
