/**
 * How connections to brokers are made.
 *
 * @module
 */

import type { KafkaConfig } from "kafkajs";

/** TLS with the brokers. What is absent is as in Node's `tls.connect`. */
export interface KafkaTls {
  /** Certificates of the authorities to trust, PEM. @default {those that Node ships} */
  readonly ca?: string | readonly string[];
  /** Own certificate, PEM. @default {none} */
  readonly cert?: string;
  /** Its private key, PEM. @default {none} */
  readonly key?: string;
  /** Passphrase of the key. @default {none} */
  readonly passphrase?: string;
  /** Name that the brokers' certificate must have. @default {the host connected to} */
  readonly servername?: string;
  /** Whether a certificate that no trusted authority signed is refused. @default {true} */
  readonly rejectUnauthorized?: boolean;
}

/** A login by SASL. */
export type KafkaLogin =
  | {
    /** Name and password; `plain` only over TLS. */
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    /** Name of the user. */
    readonly username: string;
    /** Password of the user. */
    readonly password: string;
  }
  | {
    /** Tokens of OAuth 2. */
    readonly mechanism: "oauthbearer";
    /** Gives a token that is valid now. */
    readonly oauthBearerProvider: () => Promise<{ readonly value: string }>;
  };

/** How a {@linkcode KafkaLog} connects. */
export interface KafkaConnection {
  /** Name of the client in the brokers' logs, metrics and quotas. @default {"kafkajs"} */
  readonly clientId?: string;
  /** TLS; `true` = with all defaults. @default {false} */
  readonly ssl?: boolean | KafkaTls;
  /** The login. @default {none} */
  readonly sasl?: KafkaLogin;
  /** Longest time to a connection, milliseconds. @default {1000} */
  readonly connectionTimeout?: number;
  /** Longest time to a login, milliseconds. @default {10_000} */
  readonly authenticationTimeout?: number;
  /** How long before a session ends the client logs in again, milliseconds. @default {10_000} */
  readonly reauthenticationThreshold?: number;
  /** Longest time to an answer, milliseconds. @default {30_000} */
  readonly requestTimeout?: number;
  /** @internal Opens sockets. @default {net.connect or tls.connect} */
  readonly socketFactory?: KafkaConfig["socketFactory"];
}
