/**
 * The section `kafka` of the configuration: how to reach the brokers, as plain data. Secrets are referred to by file or
 * environment variable, never written in the configuration.
 */

import { dirname } from "node:path";
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
import { reasonOf } from "../../../src/values/reason.ts";
import { keysOf } from "../../../src/values/record.ts";
import type { SettingsReader } from "../kind.ts";
import { withoutNewline } from "./logins/secret_file.ts";
import type { KafkaAccount, KafkaLogin, KafkaTls } from "./logins/security.ts";
import { KAFKA_OPTIONS, type KafkaLogOptions } from "./options.ts";

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
  /** Whether to refuse certificates that are not trusted. @default {true} */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** How to log in. */
export interface SaslSettings {
  /** The mechanism. */
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512" | "oauthbearer" | "aws-msk-iam";
  /** Name of the user, or id of the client. @default {MEANDER_SASL_USERNAME} */
  readonly username?: string | undefined;
  /** File with the password, or the client's secret. @default {MEANDER_SASL_PASSWORD} */
  readonly passwordFile?: string | undefined;
  /** URL that issues tokens for the client's credentials. @default {none} */
  readonly tokenEndpoint?: string | undefined;
  /** Scope of these tokens. @default {the endpoint's} */
  readonly scope?: string | undefined;
  /** File with a token that another program renews. @default {none} */
  readonly tokenFile?: string | undefined;
  /** Region of Amazon MSK. @default {AWS_REGION} */
  readonly region?: string | undefined;
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
  /** How long connecting may take, milliseconds. @default {1000} */
  readonly connectionTimeoutMs?: number | undefined;
  /** How long a broker may take to answer before another is tried, milliseconds. @default {10000} */
  readonly requestTimeoutMs?: number | undefined;
}

/** The message for a secret in a configuration. */
export const SECRET_MESSAGE =
  "secrets do not belong in this file: name a file that contains it, or set the environment variable";

/** Environment variables for values that the settings do not give. */
export const SECRETS = {
  username: "MEANDER_SASL_USERNAME",
  password: "MEANDER_SASL_PASSWORD",
  passphrase: "MEANDER_TLS_PASSPHRASE",
  region: "AWS_REGION",
} as const;

const otherwise = (words: string) => absent<string | undefined>(words, undefined);
const secret = forbidden(SECRET_MESSAGE);

const TLS_OPTIONS = {
  caFile: text(otherwise("those of the system"), "certificates to trust, a PEM file"),
  certFile: text(otherwise("none"), "the client's certificate, a PEM file"),
  keyFile: text(otherwise("none"), "its private key, a PEM file"),
  passphraseFile: text(otherwise("`MEANDER_TLS_PASSPHRASE`"), "file with the passphrase of the key"),
  rejectUnauthorized: flag(true, "whether a certificate that is not trusted is an error"),
} satisfies OptionsOf<TlsSettings>;

const SASL_OPTIONS = {
  mechanism: wanted(
    choice(
      ["plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "aws-msk-iam"],
      "plain",
      "how to log in",
    ),
  ),
  username: text(
    otherwise("`MEANDER_SASL_USERNAME`"),
    "the user, or the id of the client that gets tokens",
  ),
  passwordFile: text(otherwise("`MEANDER_SASL_PASSWORD`"), "file with the password, or the client's secret"),
  tokenEndpoint: text(
    otherwise("none"),
    "URL that issues tokens for the client's credentials (`oauthbearer`)",
  ),
  scope: text(otherwise("the endpoint's"), "scope of these tokens"),
  tokenFile: text(otherwise("none"), "file with a token that another program renews (`oauthbearer`)"),
  region: text(otherwise("`AWS_REGION`"), "region of the cluster (`aws-msk-iam`)"),
} satisfies OptionsOf<SaslSettings>;

/** Timeouts; each is kafkajs' option of the same name. */
const TIMES = {
  connectionTimeoutMs: count(1000, "how long a connection may take"),
  requestTimeoutMs: count(10_000, "how long a broker may take to answer before another is tried"),
};

export const KAFKA_SETTINGS = {
  brokers: matching(
    String.raw`^[^\s:/@,]+:\d{1,5}$`,
    "wanted host:port",
    ["127.0.0.1:9092"],
    "brokers to contact first, as `host:port`",
  ),
  clientId: text(absent("kafkajs'"), "name of the client in the brokers' logs"),
  tls: switchOf(
    { ...TLS_OPTIONS, passphrase: secret },
    false,
    "encryption; `true` trusts the system's certificates",
  ),
  sasl: group({ ...SASL_OPTIONS, password: secret }, "login", "none"),
  ...TIMES,
  ...KAFKA_OPTIONS,
  topicConfig: texts("configuration of new topics, by name"),
};

/** Where EKS puts the identities of service accounts, for `aws-msk-iam`. */
const AWS_IDENTITIES = [
  "/var/run/secrets/eks.amazonaws.com",
  "/var/run/secrets/pods.eks.amazonaws.com",
];

/**
 * Paths that must be readable: the file of a passphrase, and the folders of certificates, tokens and passwords, because
 * files that are replaced while we run are often links to another file in the same folder.
 */
export function kafkaFiles({ tls, sasl }: KafkaSettings): string[] {
  const replaced = [
    ...(typeof tls === "object" ? [tls.caFile, tls.certFile, tls.keyFile] : []),
    sasl?.tokenFile,
    sasl?.passwordFile,
  ];
  const folders = replaced.map((file) => file !== undefined && file.includes("/") ? dirname(file) : file);
  const fixed = [typeof tls === "object" ? tls.passphraseFile : undefined];
  const aws = sasl?.mechanism === "aws-msk-iam" ? AWS_IDENTITIES : [];
  return [...new Set([...folders, ...fixed, ...aws])].filter((file) => file !== undefined);
}

/**
 * Converts settings to {@linkcode KafkaLogOptions}; reads the files that they name.
 *
 * @throws Error naming what cannot be read or is missing; its message never contains a secret
 */
export async function kafkaOptions(
  settings: KafkaSettings,
  reader: SettingsReader,
): Promise<KafkaLogOptions> {
  const { brokers = KAFKA_SETTINGS.brokers.value, clientId, tls = KAFKA_SETTINGS.tls.value, sasl } = settings;
  const times = settle(TIMES, settings);
  return {
    ...given(settings, keysOf(KAFKA_OPTIONS)),
    topicConfig: settings.topicConfig,
    brokers,
    kafka: {
      clientId,
      ssl: typeof tls === "boolean" ? tls : await tlsOf(tls, reader),
      sasl: sasl && await loginOf(sasl, reader),
      connectionTimeout: times.connectionTimeoutMs,
      requestTimeout: times.requestTimeoutMs,
    },
  };
}

async function tlsOf(
  { caFile, certFile, keyFile, passphraseFile, rejectUnauthorized }: TlsSettings,
  reader: SettingsReader,
): Promise<KafkaTls> {
  // These files are read for each connection; reading them now reports errors early.
  await read(reader, "the CA certificates", caFile);
  await read(reader, "the certificate", certFile);
  await read(reader, "the key", keyFile);
  return {
    files: { ca: caFile, cert: certFile, key: keyFile },
    passphrase: await secretOf(reader, "passphrase", passphraseFile),
    rejectUnauthorized,
  };
}

async function loginOf(settings: SaslSettings, reader: SettingsReader): Promise<KafkaLogin> {
  const { mechanism, tokenFile, tokenEndpoint, scope } = settings;
  if (mechanism === "aws-msk-iam") {
    return { mechanism, region: required(settings, "region", settings.region ?? reader.env(SECRETS.region)) };
  }
  if (mechanism !== "oauthbearer") return { mechanism, ...await accountOf(settings, reader) };
  if (tokenFile !== undefined) {
    await read(reader, "the token", tokenFile);
    return { mechanism, tokenFile };
  }
  if (tokenEndpoint === undefined) {
    throw new Error("Cannot log in by oauthbearer: neither tokenEndpoint nor tokenFile is set");
  }
  return { mechanism, tokenEndpoint, scope, ...await accountOf(settings, reader) };
}

async function accountOf(
  settings: SaslSettings,
  reader: SettingsReader,
): Promise<KafkaAccount> {
  const username = required(settings, "username", settings.username ?? reader.env(SECRETS.username));
  const { passwordFile } = settings;
  if (passwordFile === undefined) {
    return { username, password: required(settings, "password", reader.env(SECRETS.password)) };
  }
  await read(reader, "the password", passwordFile); // it is read at each login; reading it now reports errors early
  return { username, passwordFile };
}

function required(
  { mechanism }: SaslSettings,
  what: "username" | "password" | "region",
  value: string | undefined,
): string {
  if (value !== undefined) return value;
  throw new Error(`Cannot log in by ${mechanism}: ${what} is neither configured nor in ${SECRETS[what]}`);
}

/** A secret from its file, if one is named, otherwise from the environment. */
async function secretOf(
  reader: SettingsReader,
  what: keyof typeof SECRETS,
  path: string | undefined,
): Promise<string | undefined> {
  const text = await read(reader, `the ${what}`, path);
  return text === undefined ? reader.env(SECRETS[what]) : withoutNewline(text);
}

async function read(
  { readFile }: SettingsReader,
  what: string,
  path: string | undefined,
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${what} from ${path}: ${reasonOf(cause)}`, { cause });
  }
}

function given<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>; // these names
}
