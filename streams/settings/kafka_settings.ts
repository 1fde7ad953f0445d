/**
 * The section `kafka` of the configuration: how to reach the brokers, as plain data. Secrets are named by file or by
 * environment variable, never written down.
 *
 * @module
 */

import { z } from "zod";
import { absent, field } from "./config_field.ts";
import type { KafkaLogOptions } from "../log/kafka/kafka_log.ts";

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

/** How to reach the brokers. docs/how-to/deploy-on-kafka.md lists every key. */
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
  readonly compression?: "auto" | "none" | "gzip" | "snappy" | "lz4" | "zstd" | undefined;
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

/** What is said of a secret in a configuration; its value must not be. */
export const SECRET_MESSAGE =
  "a secret does not belong in this file: name a file that has it, or set the environment variable";

const count = z.int().positive();
const file = z.string().min(1);
const secret = z.never({ error: SECRET_MESSAGE }).optional();

const tlsFields = z.strictObject({
  caFile: field(file, "certificates to trust, a PEM file", absent("those of the system")),
  certFile: field(file, "our own certificate, a PEM file", absent("none")),
  keyFile: field(file, "its key, a PEM file", absent("none")),
  passphraseFile: field(file, "file with the passphrase of the key", absent("`MEANDER_TLS_PASSPHRASE`")),
  passphrase: secret,
  serverName: field(
    z.string().min(1),
    "name that the brokers' certificates must have",
    absent("the broker's"),
  ),
  rejectUnauthorized: field(z.boolean(), "whether a certificate that is not trusted is an error", true),
}).partial();

/** The schema of {@linkcode KafkaSettings}. */
export const kafkaSchema: z.ZodType<KafkaSettings> = z.strictObject({
  brokers: field(
    z.array(z.string().regex(/^.+:\d+$/, "wanted host:port")).min(1),
    "brokers to ask first, as `host:port`",
    ["127.0.0.1:9092"],
  ),
  clientId: field(z.string().min(1), "what we are called in their logs", absent("kafkajs'")),
  tls: field(z.union([z.boolean(), tlsFields]), "encryption; `true` trusts what the system does", false),
  sasl: field(
    z.strictObject({
      mechanism: field(z.enum(["plain", "scram-sha-256", "scram-sha-512"]), "how to log in"),
      username: field(z.string().min(1).optional(), "as whom", absent("`MEANDER_SASL_USERNAME`")),
      passwordFile: field(file.optional(), "file with the password", absent("`MEANDER_SASL_PASSWORD`")),
      password: secret,
    }),
    "login",
    absent("none"),
  ),
  connectionTimeoutMs: field(count, "how long a connection may take", 1000),
  authenticationTimeoutMs: field(count, "how long a login may take", 10_000),
  reauthenticationThresholdMs: field(count, "how long before its end a login is renewed", 10_000),
  requestTimeoutMs: field(count, "how long a request may take", 30_000),
  compression: field(
    z.enum(["auto", "none", "gzip", "snappy", "lz4", "zstd"]),
    "how what is written is compressed; all are read. `auto`: batches below 8 KiB with lz4, others with zstd",
    "auto",
  ),
  retryMs: field(count, "how long an operation is tried again while brokers cannot serve it", 120_000),
  transactionTimeoutMs: field(count, "after so long brokers abort what a dead writer has begun", 10_000),
  sessionMs: field(count, "after so long without a heartbeat others get a member's partitions", 6000),
  heartbeatMs: field(count, "time between heartbeats", 500),
  rebalanceMs: field(count, "how long a group waits for members that are busy", 30_000),
  replicationFactor: field(z.int().min(-1), "copies of each new topic; -1 = as the cluster does", -1),
  topicConfig: field(z.record(z.string(), z.string()), "configuration of new topics, by name", {}),
  fetchBytes: field(count, "bytes of a partition to fetch at a time", 1_048_576),
  bufferBytes: field(count, "bytes of records that are held for readers", 67_108_864),
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
