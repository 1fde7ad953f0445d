/**
 * Encryption and login for connections to brokers, as plain data, except for functions that return tokens.
 *
 * @module
 */

/** TLS with the brokers. Defaults are those of Node's `tls.connect`. */
export interface KafkaTls {
  /** Certificates of the authorities to trust, PEM. @default {those that Node ships} */
  readonly ca?: string | readonly string[] | undefined;
  /** Own certificate, PEM. @default {none} */
  readonly cert?: string | undefined;
  /** Its private key, PEM. @default {none} */
  readonly key?: string | undefined;
  /** Passphrase of the key. @default {none} */
  readonly passphrase?: string | undefined;
  /** Name that the brokers' certificate must have. @default {the host connected to} */
  readonly servername?: string | undefined;
  /** Whether to refuse a certificate that no trusted authority has signed. @default {true} */
  readonly rejectUnauthorized?: boolean | undefined;
  /** PEM files instead of texts, read again for each connection, because they may be replaced. @default {none} */
  readonly files?: KafkaTlsFiles | undefined;
}

/** Paths of PEM files. */
export interface KafkaTlsFiles {
  /** Certificates of the authorities to trust. @default {none} */
  readonly ca?: string | undefined;
  /** Own certificate. @default {none} */
  readonly cert?: string | undefined;
  /** Its private key. @default {none} */
  readonly key?: string | undefined;
}

/** A name and a password, or the id of a client and its secret. */
export type KafkaAccount =
  & {
    readonly username: string;
  }
  & ({
    readonly password: string;
  } | {
    /** Path of a file with the password, read at each login, because it may be replaced. */
    readonly passwordFile: string;
  });

/** A login by SASL. */
export type KafkaLogin =
  | {
    /** Name and password; `plain` only over TLS. */
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  } & KafkaAccount
  | {
    /** OAuth 2 tokens. */
    readonly mechanism: "oauthbearer";
    /** Returns a valid token. */
    readonly oauthBearerProvider: () => Promise<{ readonly value: string }>;
  }
  | {
    /** A token in a file that another program renews. */
    readonly mechanism: "oauthbearer";
    /** Path of the file, read at each login. */
    readonly tokenFile: string;
  }
  | {
    /** OAuth 2 tokens for the client's credentials, each used for four fifths of its lifetime. */
    readonly mechanism: "oauthbearer";
    /** URL that issues them: https, unless on this machine. */
    readonly tokenEndpoint: string;
    /** Scope of the tokens. @default {the endpoint's} */
    readonly scope?: string | undefined;
  } & KafkaAccount
  | {
    /** Amazon MSK with IAM; the platform provides credentials, in environment variables or at an endpoint. */
    readonly mechanism: "aws-msk-iam";
    readonly region: string;
  };
