/** Where a schema registry is, and how to log in. */

import {
  absent,
  forbidden,
  group,
  type OptionsOf,
  orAbsent,
  text,
  wanted,
} from "../../src/options/option.ts";

/** TLS of a registry. */
export interface RegistryTls {
  /** PEM file of certificates to trust in addition to those of the system. */
  readonly caFile?: string | undefined;
  /** PEM file of our own certificate, if the registry requires one. */
  readonly certFile?: string | undefined;
  /** PEM file of its key, without a passphrase. */
  readonly keyFile?: string | undefined;
}

/** Where a registry is. */
export interface RegistrySettings {
  /** Its URL; with Apicurio it ends with `/apis/ccompat/v7`. */
  readonly url: string | undefined;
  /** User name; the password is `MEANDER_REGISTRY_PASSWORD`. @default {none} */
  readonly username?: string | undefined;
  /** Certificates. @default {those of the system} */
  readonly tls?: RegistryTls | undefined;
}

const otherwise = (words: string) => absent<string | undefined>(words, undefined);
const secret = forbidden("a secret does not belong in this file: set MEANDER_REGISTRY_PASSWORD or _TOKEN");

const TLS_OPTIONS = {
  caFile: text(otherwise("those of the system"), "further certificates to trust, a PEM file"),
  certFile: text(otherwise("none"), "the client's certificate, a PEM file"),
  keyFile: text(otherwise("none"), "its key, a PEM file without a passphrase"),
} satisfies OptionsOf<RegistryTls>;

export const REGISTRY_OPTIONS = {
  url: wanted(text<string>("", "where the registry is; with Apicurio it ends with `/apis/ccompat/v7`")),
  username: text(
    absent("none"),
    "user name; the password is in `MEANDER_REGISTRY_PASSWORD`, or a token in `MEANDER_REGISTRY_TOKEN`",
  ),
  tls: orAbsent(group(TLS_OPTIONS, "certificates")),
  password: secret,
  token: secret,
};
