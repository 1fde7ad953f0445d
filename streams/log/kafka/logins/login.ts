/**
 * Logins in the form that kafkajs takes. Its own `oauthbearer` ignores the broker's answer: a refused token counts as a
 * login, and the next request fails as if the broker had gone away, which would be retried for minutes.
 */

import { Buffer } from "node:buffer";
import plain from "kafkajs/src/broker/saslAuthenticator/plain.js";
import scram256 from "kafkajs/src/broker/saslAuthenticator/scram256.js";
import scram512 from "kafkajs/src/broker/saslAuthenticator/scram512.js";
import Encoder from "kafkajs/src/protocol/encoder.js";
import { KafkaJSConnectionError, KafkaJSSASLAuthenticationError } from "kafkajs/src/errors.js";
import type { KafkaAccount, KafkaLogin } from "./security.ts";
import { awsCredentials } from "./aws_credentials.ts";
import { mskToken } from "./aws_token.ts";
import { clientCredentials } from "./client_credentials.ts";
import { LoginError } from "./login_error.ts";
import { passwordOf, secretIn } from "./secret_file.ts";

/** Gives a token that is valid now. */
type GetToken = () => Promise<string>;

interface Exchange {
  readonly request: { readonly encode: () => Promise<Uint8Array> };
  readonly response: {
    readonly decode: (bytes: Uint8Array) => Promise<Uint8Array>;
    readonly parse: (bytes: Uint8Array) => Promise<string>;
  };
}

/** How kafkajs logs in by name and password. */
const BY_PASSWORD = { plain, "scram-sha-256": scram256, "scram-sha-512": scram512 };

export function saslOptions(login: KafkaLogin): object {
  if (login.mechanism !== "oauthbearer" && login.mechanism !== "aws-msk-iam") {
    const { mechanism, username } = login;
    return {
      mechanism,
      authenticationProvider: (connection: object) => ({
        async authenticate() {
          const password = await passwordOf(login).catch(asKafka);
          await BY_PASSWORD[mechanism]({ username, password })(connection).authenticate().catch(
            (error: Error) => {
              throw refused(error, login);
            },
          );
        },
      }),
    };
  }
  const token = tokenOf(login);
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

function tokenOf(login: Exclude<KafkaLogin, { readonly mechanism: keyof typeof BY_PASSWORD }>): GetToken {
  if (login.mechanism === "aws-msk-iam") {
    const { region } = login;
    const credentials = awsCredentials(region);
    return async () => await mskToken(region, await credentials(), Date.now());
  }
  if ("tokenEndpoint" in login) return clientCredentials(login);
  if ("tokenFile" in login) return async () => (await secretIn("the token", login.tokenFile)).trim();
  const { oauthBearerProvider } = login;
  return async () => (await oauthBearerProvider()).value;
}

/** Adds to a refused login what can be done about it, as a password may have changed. */
function refused(error: Error, login: KafkaAccount): Error {
  if (!(error instanceof KafkaJSSASLAuthenticationError)) return error;
  const help = "password" in login
    ? "a changed password needs a restart, unless it is in a file (passwordFile)"
    : `correct the password in ${login.passwordFile}, which is read at each login`;
  return new KafkaJSSASLAuthenticationError(`${error.message}; ${help}`);
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
