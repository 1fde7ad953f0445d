/**
 * Records in the wire format of Confluent's serialisers: a zero byte, the id of a schema in a registry, then Avro or JSON.
 *
 * @module
 */

import { type ParsedJson, parseJson } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { rejectUnplain } from "../../src/events/check.ts";
import { countKeys } from "../../src/events/plain.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { absent, type OptionsOf, text, wanted } from "../../src/options/option.ts";
import { AvroError, compileAvro } from "./avro.ts";

/** Where a registry is. */
export interface RegistrySettings {
  /** Its URL; with Apicurio it ends with `/apis/ccompat/v7`. */
  readonly url: string | undefined;
  /** User of a login by password, which is `MEANDER_REGISTRY_PASSWORD`. @default {none} */
  readonly username?: string | undefined;
}

/** The options of {@linkcode RegistrySettings}. */
export const REGISTRY_OPTIONS = {
  url: wanted(text<string>("", "where the registry is; with Apicurio it ends with `/apis/ccompat/v7`")),
  username: text(
    absent("none"),
    "user of the password in `MEANDER_REGISTRY_PASSWORD`; a token is `MEANDER_REGISTRY_TOKEN`",
  ),
} satisfies OptionsOf<RegistrySettings>;

/** What {@linkcode SchemaRegistry} needs beside its settings. */
export interface RegistryContext {
  /** A variable of the environment. @default {none} */
  readonly env?: ((name: string) => string | undefined) | undefined;
  /** Fetches a URL. @default {globalThis.fetch} */
  readonly fetch?: typeof fetch | undefined;
}

/** Decodes what follows the id. */
type Decoder = (body: Uint8Array) => ParsedJson;

/** Bytes before the record: a zero, and the id. */
const HEAD = 5;
/** Most schemas that are kept. */
const MAX_SCHEMAS = 1000;
const MAX_REFERENCES = 100;
const TIMEOUT_MS = 10_000;

interface RegisteredSchema {
  readonly schema?: string;
  readonly schemaType?: string;
  readonly references?: readonly { readonly subject: string; readonly version: number }[];
}

/** Schemas by id, fetched once each. */
export class SchemaRegistry {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof fetch;
  readonly #decoders = new Map<number, Decoder | Rejected>();

  /** Nothing is fetched yet. */
  constructor(
    { url = "", username }: RegistrySettings,
    { env = () => undefined, fetch: get = fetch }: RegistryContext = {},
  ) {
    this.#url = url.replace(/\/+$/, "");
    this.#fetch = get;
    const token = env("MEANDER_REGISTRY_TOKEN");
    const login = token !== undefined
      ? `Bearer ${token}`
      : username === undefined
      ? undefined
      : `Basic ${
        new TextEncoder().encode(`${username}:${env("MEANDER_REGISTRY_PASSWORD") ?? ""}`).toBase64()
      }`;
    const accept = "application/vnd.schemaregistry.v1+json, application/json";
    this.#headers = { accept, ...(login === undefined ? {} : { authorization: login }) };
  }

  /**
   * Fetches the schema of a record, unless it is there; `undefined` = nothing to wait for.
   *
   * @throws Error when the registry does not answer as it should; a schema that does not exist is no error
   */
  ready(bytes: Uint8Array): Promise<void> | undefined {
    const id = idOf(bytes);
    if (typeof id !== "number" || this.#decoders.has(id)) return undefined;
    return this.#load(id);
  }

  /** Decodes a record whose schema was fetched. Does not throw. */
  read(bytes: Uint8Array): ParsedJson {
    const id = idOf(bytes);
    if (typeof id !== "number") return id;
    const decoder = this.#decoders.get(id);
    if (decoder === undefined) {
      return reject("unknown-schema", `Cannot decode the record: schema ${id} was not fetched`);
    }
    return typeof decoder === "function" ? decoder(bytes.subarray(HEAD)) : decoder;
  }

  async #load(id: number): Promise<void> {
    const found = await this.#get(`/schemas/ids/${id}`);
    if (this.#decoders.size >= MAX_SCHEMAS) this.#decoders.clear();
    if (found === null) {
      const reason = `Cannot decode the record: the registry has no schema ${id}`;
      this.#decoders.set(id, reject("unknown-schema", reason));
      return;
    }
    const { schema = "", schemaType = "AVRO" } = found;
    if (schemaType === "JSON") this.#decoders.set(id, (body) => parseJson(body, "record"));
    else if (schemaType === "AVRO") this.#decoders.set(id, await this.#avro(id, schema, found));
    else {
      const reason = `Cannot decode the record: schema ${id} is of ${schemaType}; Avro and JSON are known`;
      this.#decoders.set(id, reject("unknown-schema", reason));
    }
  }

  async #avro(
    id: number,
    schema: string,
    { references = [] }: RegisteredSchema,
  ): Promise<Decoder | Rejected> {
    const named: unknown[] = [];
    try {
      await this.#references(references, new Set(), named);
      const decode = compileAvro(JSON.parse(schema), named);
      return (body) => decodeAvro(decode, body, id);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return reject("unknown-schema", `Cannot decode by schema ${id}: ${error.message}`);
    }
  }

  /** Adds the schemas that are named, those first that they name themselves. */
  async #references(
    references: NonNullable<RegisteredSchema["references"]>,
    seen: Set<string>,
    into: unknown[],
  ): Promise<void> {
    for (const { subject, version } of references) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      if (seen.has(path) || seen.size >= MAX_REFERENCES) continue;
      seen.add(path);
      const found = await this.#get(path);
      if (found === null) {
        throw new Error(`Cannot find ${path} in the registry ${this.#url}, which a schema names`);
      }
      await this.#references(found.references ?? [], seen, into);
      into.push(JSON.parse(found.schema ?? "null"));
    }
  }

  /** @returns `null` when there is no such thing */
  async #get(path: string): Promise<RegisteredSchema | null> {
    let response: Response;
    try {
      response = await this.#fetch(`${this.#url}${path}`, {
        headers: this.#headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      throw new Error(`Cannot reach the schema registry ${this.#url}: ${(cause as Error).message}`, {
        cause,
      });
    }
    if (response.status === 404) {
      await response.body?.cancel();
      return null;
    }
    if (!response.ok) {
      await response.body?.cancel();
      const login = response.status === 401 || response.status === 403 ? "; is the login right?" : "";
      throw new Error(
        `Cannot read ${path} of the schema registry ${this.#url}: it answers ${response.status}${login}`,
      );
    }
    return await response.json();
  }
}

/** The id of a record's schema. */
function idOf(bytes: Uint8Array): number | Rejected {
  if (bytes.length > MAX_RECORD_BYTES) {
    return reject(
      "too-large",
      `Cannot decode the record: it has ${bytes.length} bytes, ${MAX_RECORD_BYTES} are allowed`,
    );
  }
  if (bytes.length >= HEAD && bytes[0] === 0) {
    return new DataView(bytes.buffer, bytes.byteOffset, HEAD).getUint32(1);
  }
  const got = bytes.length === 0 ? "it is empty" : `its first byte is ${bytes[0]}`;
  return reject(
    "undecodable",
    `Cannot decode the record as one of a schema registry, a zero and an id of 4 bytes: ${got}`,
  );
}

function decodeAvro(decode: (bytes: Uint8Array) => unknown, body: Uint8Array, id: number): ParsedJson {
  try {
    const value = decode(body);
    return countKeys(value) < 0 ? rejectUnplain(value, "record") : { ok: true, value };
  } catch (error) {
    if (!(error instanceof AvroError)) throw error;
    return reject("undecodable", `Cannot decode the record as Avro of schema ${id}: ${error.message}`);
  }
}
