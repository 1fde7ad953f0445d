/**
 * The section `kafka` of the configuration: how to reach the brokers, as plain data. Secrets are named by file or by
 * environment variable, never written down.
 *
 * @module
 */

import { z } from "zod";
import {
  absent,
  choice,
  count,
  flag,
  type OptionsOf,
  settle,
  text,
  wanted,
} from "../../src/options/option.ts";
import { absent as absence, field } from "./config_field.ts";
import { shapeOf } from "./option_schema.ts";
import { KAFKA_OPTIONS, type KafkaLogOptions } from "../log/kafka/options.ts";

/** TLS; `true` = with the certificates that the system trusts. */
export interface TlsSettings {
  /** PEM file of the certificates to trust. */
  readonly caFile?: string | undefined;
  /** PEM file of the client's certificate. */
  readonly certFile?: string | undefined;
  /** PEM file of its key. */
  readonly keyFile?: string | undefined;
  /** File with the passphrase of the key. @default {MEANDER_TLS_PASSPHRASE} */
  readonly passphraseFile?: string | undefined;
  /** Name that the brokers' certificates must have. @default {that of the broker} */
  readonly serverName?: string | undefined;
  /** Whether to refuse certificates that are not trusted. @default {true} */
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

/** How to reach the brokers. docs/reference/configuration.md lists every key. */
export interface KafkaSettings extends Omit<KafkaLogOptions, "brokers" | "kafka" | "membersFolder"> {
  /** Bootstrap brokers, as `host:port`. @default {["127.0.0.1:9092"]} */
  readonly brokers?: readonly string[] | undefined;
  /** Name of the client in the brokers' logs, metrics and quotas. */
  readonly clientId?: string | undefined;
  /** Encryption. @default {false} */
  readonly tls?: boolean | TlsSettings | undefined;
  /** Login. @default {none} */
  readonly sasl?: SaslSettings | undefined;
  /** Longest time to a connection, milliseconds. @default {1000} */
  readonly connectionTimeoutMs?: number | undefined;
  /** Longest time to a login, milliseconds. @default {10000} */
  readonly authenticationTimeoutMs?: number | undefined;
  /** How long before its end a session is renewed, milliseconds. @default {10000} */
  readonly reauthenticationThresholdMs?: number | undefined;
  /** Longest time to a response, milliseconds. @default {30000} */
  readonly requestTimeoutMs?: number | undefined;
}

/** How long what may take; each is kafkajs' option of the same name. */
export const KAFKA_TIMES = {
  connectionTimeoutMs: count(1000, "how long a connection may take"),
  authenticationTimeoutMs: count(10_000, "how long a login may take"),
  reauthenticationThresholdMs: count(10_000, "how long before its end a login is renewed"),
  requestTimeoutMs: count(30_000, "how long a request may take"),
} satisfies OptionsOf<
  Pick<
    KafkaSettings,
    "connectionTimeoutMs" | "authenticationTimeoutMs" | "reauthenticationThresholdMs" | "requestTimeoutMs"
  >
>;

/** What is said of a secret in a configuration; its value must not be. */
export const SECRET_MESSAGE =
  "a secret does not belong in this file: name a file that has it, or set the environment variable";

const secret = z.never({ error: SECRET_MESSAGE }).optional();

const otherwise = (words: string) => absent<string | undefined>(words, undefined);

/** The options of {@linkcode TlsSettings}. */
export const TLS_OPTIONS = {
  caFile: text(otherwise("those of the system"), "certificates to trust, a PEM file"),
  certFile: text(otherwise("none"), "our own certificate, a PEM file"),
  keyFile: text(otherwise("none"), "its key, a PEM file"),
  passphraseFile: text(otherwise("`MEANDER_TLS_PASSPHRASE`"), "file with the passphrase of the key"),
  serverName: text(otherwise("the broker's"), "name that the brokers' certificates must have"),
  rejectUnauthorized: flag(true, "whether a certificate that is not trusted is an error"),
} satisfies OptionsOf<TlsSettings>;

/** The options of {@linkcode SaslSettings}. */
export const SASL_OPTIONS = {
  mechanism: wanted(choice(["plain", "scram-sha-256", "scram-sha-512"], "plain", "how to log in")),
  username: text(otherwise("`MEANDER_SASL_USERNAME`"), "as whom"),
  passwordFile: text(otherwise("`MEANDER_SASL_PASSWORD`"), "file with the password"),
} satisfies OptionsOf<SaslSettings>;

/** Whether connections are encrypted. */
export const TLS = flag(false, "encryption; `true` trusts what the system does");

const tlsFields = z.strictObject({ ...shapeOf(TLS_OPTIONS), passphrase: secret }).partial();
const { username, passwordFile, mechanism } = shapeOf(SASL_OPTIONS);
const saslFields: z.ZodType<SaslSettings> = z.strictObject({
  mechanism: mechanism as z.ZodType<SaslSettings["mechanism"]>,
  username: username.optional(),
  passwordFile: passwordFile.optional(),
  password: secret,
});

/** Brokers on this machine. */
export const DEFAULT_BROKERS: readonly string[] = ["127.0.0.1:9092"];

/** The schema of {@linkcode KafkaSettings}. */
export const kafkaSchema: z.ZodType<KafkaSettings> = z.strictObject({
  brokers: field(
    z.array(z.string().regex(/^.+:\d+$/, "wanted host:port")).min(1),
    "brokers to ask first, as `host:port`",
    DEFAULT_BROKERS,
  ),
  clientId: field(z.string().min(1), "what we are called in their logs", absence("kafkajs'")),
  tls: field(z.union([z.boolean(), tlsFields]), TLS.about, TLS.value),
  sasl: field(saslFields, "login", absence("none")),
  ...shapeOf(KAFKA_TIMES),
  ...shapeOf(KAFKA_OPTIONS),
  topicConfig: field(z.record(z.string(), z.string()), "configuration of new topics, by name", {}),
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
    brokers = DEFAULT_BROKERS,
    clientId,
    tls = TLS.value,
    sasl,
    connectionTimeoutMs: _connection,
    authenticationTimeoutMs: _authentication,
    reauthenticationThresholdMs: _reauthentication,
    requestTimeoutMs: _request,
    ...rest
  } = settings;
  const times = settle(KAFKA_TIMES, settings);
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
    connectionTimeout: times.connectionTimeoutMs,
    authenticationTimeout: times.authenticationTimeoutMs,
    reauthenticationThreshold: times.reauthenticationThresholdMs,
    requestTimeout: times.requestTimeoutMs,
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
