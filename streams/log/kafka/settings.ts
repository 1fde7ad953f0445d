/**
 * The section `kafka` of the configuration: how to reach the brokers, as plain data. Secrets are named by file or by
 * environment variable, never written down.
 *
 * @module
 */

import {
  absent,
  choice,
  count,
  flag,
  forbidden,
  group,
  matching,
  type OptionsOf,
  settle,
  switchOf,
  text,
  texts,
  wanted,
} from "../../../src/options/option.ts";
import type { SettingsReader } from "../kind.ts";
import { KAFKA_OPTIONS, type KafkaLogin, type KafkaLogOptions, type KafkaTls } from "./options.ts";

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
  /** How long a broker may be silent when it is asked, milliseconds. @default {10000} */
  readonly requestTimeoutMs?: number | undefined;
}

/** The message for a secret in a configuration. */
export const SECRET_MESSAGE =
  "a secret does not belong in this file: name a file that has it, or set the environment variable";

/** Where secrets come from when no file is named. */
export const SECRETS = {
  username: "MEANDER_SASL_USERNAME",
  password: "MEANDER_SASL_PASSWORD",
  passphrase: "MEANDER_TLS_PASSPHRASE",
} as const;

const otherwise = (words: string) => absent<string | undefined>(words, undefined);
const secret = forbidden(SECRET_MESSAGE);

const TLS_OPTIONS = {
  caFile: text(otherwise("those of the system"), "certificates to trust, a PEM file"),
  certFile: text(otherwise("none"), "our own certificate, a PEM file"),
  keyFile: text(otherwise("none"), "its key, a PEM file"),
  passphraseFile: text(otherwise("`MEANDER_TLS_PASSPHRASE`"), "file with the passphrase of the key"),
  serverName: text(otherwise("the broker's"), "name that the brokers' certificates must have"),
  rejectUnauthorized: flag(true, "whether a certificate that is not trusted is an error"),
} satisfies OptionsOf<TlsSettings>;

const SASL_OPTIONS = {
  mechanism: wanted(choice(["plain", "scram-sha-256", "scram-sha-512"], "plain", "how to log in")),
  username: text(otherwise("`MEANDER_SASL_USERNAME`"), "as whom"),
  passwordFile: text(otherwise("`MEANDER_SASL_PASSWORD`"), "file with the password"),
} satisfies OptionsOf<SaslSettings>;

/** Timeouts; each is kafkajs' option of the same name. */
const TIMES = {
  connectionTimeoutMs: count(1000, "how long a connection may take"),
  authenticationTimeoutMs: count(10_000, "how long a login may take"),
  reauthenticationThresholdMs: count(10_000, "how long before its end a login is renewed"),
  requestTimeoutMs: count(10_000, "how long a broker may be silent; then we ask another"),
};

/** The options of {@linkcode KafkaSettings}. */
export const KAFKA_SETTINGS = {
  brokers: matching(
    String.raw`^.+:\d+$`,
    "wanted host:port",
    ["127.0.0.1:9092"],
    "brokers to ask first, as `host:port`",
  ),
  clientId: text(absent("kafkajs'"), "what we are called in their logs"),
  tls: switchOf(
    { ...TLS_OPTIONS, passphrase: secret },
    false,
    "encryption; `true` trusts what the system does",
  ),
  sasl: group({ ...SASL_OPTIONS, password: secret }, "login", "none"),
  ...TIMES,
  ...KAFKA_OPTIONS,
  topicConfig: texts("configuration of new topics, by name"),
};

/** Files that {@linkcode kafkaOptions} reads: certificates and secrets. */
export function kafkaFiles({ tls, sasl }: KafkaSettings): string[] {
  const files = typeof tls === "object" ? [tls.caFile, tls.certFile, tls.keyFile, tls.passphraseFile] : [];
  return [...files, sasl?.passwordFile].filter((file) => file !== undefined);
}

/**
 * The options of {@linkcode KafkaLogOptions} that settings ask for; reads the files that they name.
 *
 * @throws Error naming what cannot be read or is missing; never with a secret in its message
 */
export async function kafkaOptions(
  settings: KafkaSettings,
  { readFile, env }: SettingsReader,
): Promise<KafkaLogOptions> {
  const { brokers = KAFKA_SETTINGS.brokers.value, clientId, tls = KAFKA_SETTINGS.tls.value, sasl } = settings;
  const times = settle(TIMES, settings);
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
  const sslOf = async (tls: TlsSettings): Promise<KafkaTls> => ({
    ca: await read("the CA certificates", tls.caFile),
    cert: await read("the certificate", tls.certFile),
    key: await read("the key", tls.keyFile),
    passphrase: await secretOf("passphrase", tls.passphraseFile),
    servername: tls.serverName,
    rejectUnauthorized: tls.rejectUnauthorized,
  });
  const loginOf = async ({ mechanism, passwordFile, ...given }: SaslSettings): Promise<KafkaLogin> => {
    const required = (what: "username" | "password", value: string | undefined) => {
      if (value !== undefined) return value;
      throw new Error(
        `Cannot log in by ${mechanism}: there is no ${what}, neither set nor in ${SECRETS[what]}`,
      );
    };
    const username = required("username", given.username ?? env(SECRETS.username));
    return { mechanism, username, password: required("password", await secretOf("password", passwordFile)) };
  };
  return {
    ...given(settings, Object.keys(KAFKA_OPTIONS) as (keyof typeof KAFKA_OPTIONS)[]),
    topicConfig: settings.topicConfig,
    brokers,
    kafka: {
      clientId,
      ssl: typeof tls === "boolean" ? tls : defined(await sslOf(tls)),
      sasl: sasl && await loginOf(sasl),
      connectionTimeout: times.connectionTimeoutMs,
      authenticationTimeout: times.authenticationTimeoutMs,
      reauthenticationThreshold: times.reauthenticationThresholdMs,
      requestTimeout: times.requestTimeoutMs,
    },
  };
}

/** Without absent fields: `tls.connect` takes a name that is `undefined` for the broker's own. */
function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function given<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}
