/**
 * Records in the wire format of Confluent's serialisers: a zero byte, the id of a schema in a registry, then Avro,
 * Protobuf or JSON.
 */

import { type ParsedJson, parseJson } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { compileAvro } from "./avro.ts";
import { decoded } from "./decoded.ts";
import { compileProtobufFile, type ProtobufFile } from "./protobuf_schema.ts";
import {
  type RegisteredSchema,
  RegistryClient,
  type RegistryContext,
  RegistryError,
} from "./registry_client.ts";
import type { RegistrySettings } from "./registry_settings.ts";

/** Decodes the bytes after the id. */
type Decoder = (body: Uint8Array) => ParsedJson;

/** Bytes before the record: a zero, and the id. */
const HEAD = 5;
/** `{` and `[`. */
const JSON_STARTS = [0x7b, 0x5b];
/** Most schemas that are kept. */
const MAX_SCHEMAS = 1000;
const MAX_REFERENCES = 100;
/** Longest text of a schema, including all that it refers to. */
const MAX_SCHEMA_CHARACTERS = 1 << 20;
/** How long a missing or invalid schema is not fetched again, milliseconds. */
const REJECTED_MS = 60_000;

/** Schemas by id, fetched once each. */
export class SchemaRegistry implements Disposable {
  readonly #client: RegistryClient;
  readonly #now: () => number;
  readonly #decoders = new Map<number, Decoder | Rejected>();
  readonly #loading = new Map<number, Promise<void>>();
  /** When the rejections of schemas expire. */
  readonly #rejectedUntil = new Map<number, number>();

  /** Makes a registry without schemas. @throws TypeError when the URL is invalid */
  constructor(settings: RegistrySettings, context: RegistryContext = {}) {
    this.#client = new RegistryClient(settings, context);
    this.#now = context.now ?? (() => performance.now());
  }

  /**
   * Fetches the schema of a record, unless it is known; `undefined` = nothing to wait for.
   *
   * @throws RegistryError when the registry does not respond as it should; a schema that does not exist is no error
   */
  ready(bytes: Uint8Array): Promise<void> | undefined {
    const id = idOf(bytes);
    if (typeof id !== "number") return undefined;
    if (this.#decoders.has(id) && !this.#isOutdated(id)) return undefined;
    const loading = this.#loading.get(id) ?? this.#load(id).finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
    return loading;
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

  /** Closes its connections. */
  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  #isOutdated(id: number): boolean {
    const until = this.#rejectedUntil.get(id);
    return until !== undefined && this.#now() >= until;
  }

  async #load(id: number): Promise<void> {
    const decoder = await this.#decoderOf(id);
    const [oldest] = this.#decoders.keys();
    if (oldest !== undefined && this.#decoders.size >= MAX_SCHEMAS) {
      this.#decoders.delete(oldest);
      this.#rejectedUntil.delete(oldest);
    }
    this.#decoders.set(id, decoder);
    if (typeof decoder === "function") this.#rejectedUntil.delete(id);
    else this.#rejectedUntil.set(id, this.#now() + REJECTED_MS);
  }

  async #decoderOf(id: number): Promise<Decoder | Rejected> {
    try {
      const registered = await this.#client.schema(`/schemas/ids/${id}`);
      if (registered === null) {
        return reject("unknown-schema", `Cannot decode the record: the registry has no schema ${id}`);
      }
      const { schema: text } = registered;
      const schemaType = registered.schemaType ?? "AVRO";
      const references = registered.references ?? [];
      if (schemaType === "JSON") return (body) => parseJson(body, "record", { keepsLongs: true });
      if (schemaType === "PROTOBUF") {
        const imports = await this.#named(references, text.length);
        const decode = await compileProtobufFile({ name: "it", text }, imports);
        return (body) => decoded(decode, body, `Protobuf of schema ${id}`);
      }
      if (schemaType === "AVRO") {
        const named = await this.#named(references, text.length);
        const decode = compileAvro(JSON.parse(text), named.map((own) => JSON.parse(own.text)));
        return (body) => decoded(decode, body, `Avro of schema ${id}`);
      }
      const why = `schema ${id} is of ${schemaType}; supported are Avro, Protobuf and JSON`;
      return reject("unknown-schema", `Cannot decode the record: ${why}`);
    } catch (error) {
      if (error instanceof RegistryError || !(error instanceof Error)) throw error;
      return reject("unknown-schema", `Cannot decode the record by schema ${id}: ${error.message}`);
    }
  }

  /** The schemas of references, each after those that it refers to. @throws SyntaxError when they are too large */
  async #named(
    references: NonNullable<RegisteredSchema["references"]>,
    size: number,
  ): Promise<readonly ProtobufFile[]> {
    const files: ProtobufFile[] = [];
    const seen = new Set<string>();
    let left = MAX_SCHEMA_CHARACTERS;
    const count = (characters: number) => {
      left -= characters;
      if (left < 0) {
        throw new SyntaxError(`it has more than ${MAX_SCHEMA_CHARACTERS} characters, references included`);
      }
    };
    count(size);
    const add = async (of: NonNullable<RegisteredSchema["references"]>): Promise<void> => {
      for (const { name, subject, version } of of) {
        const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
        if (seen.has(path)) continue;
        seen.add(path);
        if (seen.size > MAX_REFERENCES) {
          throw new SyntaxError(`it has more than ${MAX_REFERENCES} references`);
        }
        const own = await this.#client.schema(path);
        if (own === null) {
          throw new SyntaxError(
            `it refers to version ${version} of ${subject}, which the registry lacks`,
          );
        }
        count(own.schema.length);
        await add(own.references ?? []);
        files.push({ name, text: own.schema });
      }
    };
    await add(references);
    return files;
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
    const id = new DataView(bytes.buffer, bytes.byteOffset, HEAD).getInt32(1);
    if (id >= 0) return id;
    return reject("undecodable", `Cannot decode the record: the id of its schema is ${id}, below 0`);
  }
  const got = bytes.length === 0
    ? "it is empty"
    : JSON_STARTS.includes(bytes[0]!)
    ? `it begins with ${String.fromCharCode(bytes[0]!)}, so it may be plain JSON, which needs no registry`
    : `its first byte is ${bytes[0]}`;
  return reject(
    "undecodable",
    `Cannot decode the record as one of a schema registry, a zero and an id of 4 bytes: ${got}`,
  );
}
