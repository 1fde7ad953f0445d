/**
 * Encryption and login of connections to brokers, as plain data, except for functions that return tokens.
 *
 * @module
 */

/** TLS with the brokers. What is absent is as in Node's `tls.connect`. */
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
  /** Whether a certificate that no trusted authority signed is refused. @default {true} */
  readonly rejectUnauthorized?: boolean | undefined;
  /** PEM files instead of texts, read again for each connection: they may be replaced. @default {none} */
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
  }
  | {
    /** A token in a file that is renewed from outside. */
    readonly mechanism: "oauthbearer";
    /** Path of the file, read at each login. */
    readonly tokenFile: string;
  }
  | {
    /** Tokens of OAuth 2 for credentials of the client, each used for four fifths of its life. */
    readonly mechanism: "oauthbearer";
    /** URL that gives them: https, unless on this machine. */
    readonly tokenEndpoint: string;
    /** Id of the client. */
    readonly username: string;
    /** Its secret. */
    readonly password: string;
    /** What tokens are to be for. @default {as the endpoint does} */
    readonly scope?: string | undefined;
  }
  | {
    /** Amazon MSK with IAM; credentials are those of the platform, in variables or from its endpoint. */
    readonly mechanism: "aws-msk-iam";
    /** Region of the cluster. */
    readonly region: string;
  };
