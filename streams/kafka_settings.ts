/**
 * The section `kafka` of the configuration: how to reach the brokers, as plain data. Secrets are named by file or by
 * environment variable, never written down.
 *
 * @module
 */

import { z } from "zod";
import type { KafkaLogOptions } from "./log/kafka_log.ts";

/** TLS; `true` = with the certificates that the system trusts. */
export interface TlsSettings {
  /** PEM file of the certificates to trust. */
  readonly caFile?: string | undefined;
  /** PEM file of our own certificate. */
  readonly certFile?: string | undefined;
  /** PEM file of its key. */
  readonly keyFile?: string | undefined;
  /** File with the passphrase of the key. @default {MEANDER_TLS_PASSPHRASE} */
  readonly passphraseFile?: string | undefined;
  /** Name that the brokers' certificates must have. @default {that of the broker} */
  readonly serverName?: string | undefined;
  /** Whether a certificate that is not trusted is an error. @default {true} */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** How to log in. */
export interface SaslSettings {
  /** The mechanism. */
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  /** Name of the user. @default {MEANDER_SASL_USERNAME} */
  readonly username?: string | undefined;
  /** File with the password. @default {MEANDER_SASL_PASSWORD} */
  readonly passwordFile?: string | undefined;
}

/** How to reach the brokers. docs/kafka.md lists every key. */
export interface KafkaSettings {
  /** Brokers to ask first, as `host:port`. @default {["127.0.0.1:9092"]} */
  readonly brokers?: readonly string[] | undefined;
  /** What the brokers know us by. */
  readonly clientId?: string | undefined;
  /** Encryption. @default {false} */
  readonly tls?: boolean | TlsSettings | undefined;
  /** Login. @default {none} */
  readonly sasl?: SaslSettings | undefined;
  /** kafkajs' `connectionTimeout`. @default {1000} */
  readonly connectionTimeoutMs?: number | undefined;
  /** kafkajs' `authenticationTimeout`. @default {10000} */
  readonly authenticationTimeoutMs?: number | undefined;
  /** kafkajs' `reauthenticationThreshold`. @default {10000} */
  readonly reauthenticationThresholdMs?: number | undefined;
  /** kafkajs' `requestTimeout`. @default {30000} */
  readonly requestTimeoutMs?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly compression?: "none" | "gzip" | "snappy" | "lz4" | "zstd" | undefined;
  /** See `KafkaLogOptions`. */
  readonly retryMs?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly transactionTimeoutMs?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly sessionMs?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly heartbeatMs?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly rebalanceMs?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly replicationFactor?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly topicConfig?: Readonly<Record<string, string>> | undefined;
  /** See `KafkaLogOptions`. */
  readonly fetchBytes?: number | undefined;
  /** See `KafkaLogOptions`. */
  readonly bufferBytes?: number | undefined;
}

const count = z.int().positive();
const file = z.string().min(1);
const secret = z.never({
  error: "a secret does not belong in this file: name a file that has it, or set the environment variable",
}).optional();

/** The schema of {@linkcode KafkaSettings}. */
export const kafkaSchema: z.ZodType<KafkaSettings> = z.strictObject({
  brokers: z.array(z.string().regex(/^.+:\d+$/, "wanted host:port")).min(1),
  clientId: z.string().min(1),
  tls: z.union([
    z.boolean(),
    z.strictObject({
      caFile: file,
      certFile: file,
      keyFile: file,
      passphraseFile: file,
      passphrase: secret,
      serverName: z.string().min(1),
      rejectUnauthorized: z.boolean(),
    }).partial(),
  ]),
  sasl: z.strictObject({
    mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
    username: z.string().min(1).optional(),
    passwordFile: file.optional(),
    password: secret,
  }),
  connectionTimeoutMs: count,
  authenticationTimeoutMs: count,
  reauthenticationThresholdMs: count,
  requestTimeoutMs: count,
  compression: z.enum(["none", "gzip", "snappy", "lz4", "zstd"]),
  retryMs: count,
  transactionTimeoutMs: count,
  sessionMs: count,
  heartbeatMs: count,
  rebalanceMs: count,
  replicationFactor: z.int().min(-1),
  topicConfig: z.record(z.string(), z.string()),
  fetchBytes: count,
  bufferBytes: count,
}).partial();

/** Where secrets come from, when no file is named. */
export const SECRETS = {
  username: "MEANDER_SASL_USERNAME",
  password: "MEANDER_SASL_PASSWORD",
  passphrase: "MEANDER_TLS_PASSPHRASE",
} as const;

/** Reads what settings name. */
export interface SettingsReader {
  /** The text of a file. */
  readonly readFile: (path: string) => Promise<string>;
  /** An environment variable. */
  readonly env: (name: string) => string | undefined;
}

/**
 * The options of {@linkcode KafkaLogOptions} that settings ask for; files are read now.
 *
 * @throws Error naming what cannot be read or is missing; never with a secret in its message
 */
export async function kafkaOptions(
  settings: KafkaSettings,
  { readFile, env }: SettingsReader,
): Promise<KafkaLogOptions> {
  const {
    brokers = ["127.0.0.1:9092"],
    clientId,
    tls = false,
    sasl,
    connectionTimeoutMs: connectionTimeout,
    authenticationTimeoutMs: authenticationTimeout,
    reauthenticationThresholdMs: reauthenticationThreshold,
    requestTimeoutMs: requestTimeout,
    ...rest
  } = settings;
  const read = async (what: string, path: string | undefined) => {
    if (path === undefined) return undefined;
    try {
      return await readFile(path);
    } catch (cause) {
      throw new Error(`Cannot read ${what} from ${path}: ${(cause as Error).message}`, { cause });
    }
  };
  const secretOf = async (what: keyof typeof SECRETS, path?: string) =>
    (await read(`the ${what}`, path))?.replace(/\r?\n$/, "") ?? env(SECRETS[what]);

  const ssl = typeof tls === "boolean" ? tls : defined({
    ca: await read("the CA certificates", tls.caFile),
    cert: await read("the certificate", tls.certFile),
    key: await read("the key", tls.keyFile),
    passphrase: await secretOf("passphrase", tls.passphraseFile),
    servername: tls.serverName,
    rejectUnauthorized: tls.rejectUnauthorized,
  });
  const kafka = defined({
    clientId,
    ...(ssl === false ? {} : { ssl }),
    connectionTimeout,
    authenticationTimeout,
    reauthenticationThreshold,
    requestTimeout,
  });
  if (sasl === undefined) return defined({ brokers, kafka, ...rest }) as KafkaLogOptions;
  const username = sasl.username ?? env(SECRETS.username);
  const password = await secretOf("password", sasl.passwordFile);
  for (const [name, value] of Object.entries({ username, password })) {
    if (value !== undefined) continue;
    const variable = SECRETS[name as keyof typeof SECRETS];
    throw new Error(
      `Cannot log in by ${sasl.mechanism}: there is no ${name}, neither set nor in ${variable}`,
    );
  }
  const login = { mechanism: sasl.mechanism, username, password };
  return defined({ brokers, kafka: { ...kafka, sasl: login }, ...rest }) as KafkaLogOptions;
}

function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
