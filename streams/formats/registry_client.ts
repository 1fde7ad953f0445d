/** A client of a schema registry with Confluent's API. */

import { setTimeout as delay } from "node:timers/promises";
import { errorOf, reasonOf } from "../../src/values/reason.ts";
import { isRecord } from "../../src/values/record.ts";
import type { RegistrySettings, RegistryTls } from "./registry_settings.ts";

/** What {@linkcode RegistryClient} needs in addition to its settings. */
export interface RegistryContext {
  /** Reads an environment variable. @default {none} */
  readonly env?: ((name: string) => string | undefined) | undefined;
  /** Fetches a URL. @default {globalThis.fetch} */
  readonly fetch?: typeof fetch | undefined;
  /** Waits, milliseconds. @default {a timer} */
  readonly wait?: ((ms: number) => Promise<unknown>) | undefined;
  /** Clock for the expiry of failed look-ups, milliseconds. @default {performance.now} */
  readonly now?: (() => number) | undefined;
}

/** A schema as the registry returns it. */
export interface RegisteredSchema {
  readonly schema: string;
  /** `AVRO` if absent. */
  readonly schemaType?: string | null;
  /** Schemas that it refers to or imports. */
  readonly references?:
    | readonly {
      readonly name: string;
      readonly subject: string;
      readonly version: number;
    }[]
    | null;
}

/** The registry cannot be used. That is not the fault of records, so they wait. */
export class RegistryError extends Error {
  /** Whether it may recover on its own; otherwise the settings have to change. */
  readonly isTemporary: boolean;

  constructor(message: string, isTemporary: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isTemporary = isTemporary;
  }
}

/** Largest response, bytes. */
const MAX_BYTES = 4 << 20;
const TIMEOUT_MS = 10_000;
/** How long to wait before each further attempt. */
const PAUSES_MS = [200, 1000];
const TYPE = "application/vnd.schemaregistry.v1+json";

export class RegistryClient implements Disposable {
  /** URL of the registry, without a trailing slash. */
  readonly url: string;
  readonly #tls: RegistryTls | undefined;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof fetch;
  readonly #wait: (ms: number) => Promise<unknown>;
  #http: Deno.HttpClient | undefined;

  /** Makes a client. @throws TypeError when the URL is invalid or contains a login, or the token is invalid */
  constructor(
    { url = "", username, tls }: RegistrySettings,
    { env = () => undefined, fetch: get = fetch, wait = delay }: RegistryContext = {},
  ) {
    this.url = checked(url);
    this.#tls = tls;
    this.#fetch = get;
    this.#wait = wait;
    const token = env("MEANDER_REGISTRY_TOKEN")?.trim();
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) { // or the message of fetch() would quote it
      throw new TypeError("Cannot send MEANDER_REGISTRY_TOKEN: it is empty, or contains white space");
    }
    const login = token !== undefined
      ? `Bearer ${token}`
      : username === undefined
      ? undefined
      : `Basic ${
        new TextEncoder().encode(`${username}:${env("MEANDER_REGISTRY_PASSWORD") ?? ""}`).toBase64()
      }`;
    this.#headers = { accept: `${TYPE}, application/json`, ...(login && { authorization: login }) };
  }

  /**
   * Sends a request, again after a pause, at most twice, when the registry is unreachable, too slow or failing.
   *
   * @param body what to post
   * @returns the response; `null` when the registry has no such resource
   * @throws RegistryError when it does not respond as it should
   * @throws RangeError when the response is too large, so that retrying is useless
   */
  async ask<T>(path: string, body?: object): Promise<T | null> {
    for (let attempt = 0;; attempt++) {
      try {
        return await this.#ask(path, body) as T | null; // as the API of registries describes
      } catch (error) {
        const pause = PAUSES_MS[attempt];
        if (!(error instanceof RegistryError && error.isTemporary) || pause === undefined) throw error;
        this[Symbol.dispose](); // certificates may have been renewed
        await this.#wait(pause);
      }
    }
  }

  /**
   * Asks for a schema; `null` when the registry has none.
   *
   * @throws as `ask` does; RegistryError when there is none in the answer either
   */
  async schema(path: string): Promise<RegisteredSchema | null> {
    const found = await this.ask<Partial<RegisteredSchema>>(path);
    if (found === null) return null;
    const { schema, ...more } = found;
    if (typeof schema === "string") return { schema, ...more };
    throw new RegistryError(
      `Cannot use ${path} of the schema registry ${this.url}: its answer has no schema`,
      false,
    );
  }

  async #ask(path: string, body: object | undefined): Promise<unknown> {
    const client = await this.#connection();
    let status: number, text: string | null, location: string | null;
    try {
      const response = await this.#fetch(`${this.url}${path}`, {
        headers: body === undefined ? this.#headers : { ...this.#headers, "content-type": TYPE },
        // Another host would get no login, and decide how records are decoded.
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
        ...(client === undefined ? {} : { client }),
      });
      ({ status } = response);
      location = response.headers.get("location");
      text = await textOf(response);
    } catch (cause) {
      const { message, cause: inner } = errorOf(cause);
      const reason = inner instanceof Error ? `${message}: ${inner.message}` : message;
      throw new RegistryError(`Cannot reach the schema registry ${this.url}: ${reason}`, true, { cause });
    }
    if (text === null) {
      throw new RangeError(
        `Cannot take ${path} of the schema registry ${this.url}: it is larger than ${MAX_BYTES} bytes`,
      );
    }
    const json = parsed(text);
    if (status < 300 && json !== undefined) return json;
    // Only with a code of its own: a proxy, or another service at a wrong URL, has none.
    const { error_code: code = 0, message = "" } = json ?? {};
    if (status === 404 && Number(code) >= 40_400) return null;
    const why = status === 401 || status === 403
      ? "; is the login right?"
      : status === 404
      ? "; is the URL right?"
      : status >= 300 && status < 400 && location !== null
      ? `, a redirect to ${location.slice(0, 200)}; is the URL right?`
      : status < 300
      ? ", which is not JSON; is the URL right?"
      : `${message === "" ? "" : `: ${String(message).slice(0, 200)}`}`;
    throw new RegistryError(
      `Cannot use ${path} of the schema registry ${this.url}: it answered ${status}${why}`,
      status >= 500 || status === 429 || status === 408,
    );
  }

  /** The HTTP client for requests; `undefined` = the default one. */
  async #connection(): Promise<Deno.HttpClient | undefined> {
    if (this.#tls === undefined || this.#http !== undefined) return this.#http;
    const { caFile, certFile, keyFile } = this.#tls;
    if ((certFile === undefined) !== (keyFile === undefined)) {
      throw new RegistryError(
        `Cannot log in to the schema registry ${this.url}: tls.certFile and tls.keyFile must be set together`,
        false,
      );
    }
    const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(readPem));
    try {
      this.#http = Deno.createHttpClient({
        caCerts: ca === undefined ? [] : [ca],
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
      });
    } catch (cause) {
      const files = [caFile, certFile, keyFile].filter((file) => file !== undefined).join(", ");
      throw new RegistryError(
        `Cannot take ${files} for the schema registry ${this.url}: ${reasonOf(cause)}`,
        false,
      );
    }
    return this.#http;
  }

  /** Closes its own connections, which it has only with certificates. */
  [Symbol.dispose](): void {
    this.#http?.close();
    this.#http = undefined;
  }
}

async function readPem(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    throw new RegistryError(`Cannot read the certificates ${file}: ${reasonOf(cause)}`, false, {
      cause,
    });
  }
}

/** A URL without a trailing slash. Messages contain it, so it may not contain a password. */
function checked(url: string): string {
  const own = URL.parse(url);
  if (own === null || !/^https?:$/.test(own.protocol)) {
    throw new TypeError(
      `Cannot take ${JSON.stringify(own === null ? url : own.protocol)} as a URL of http or https`,
    );
  }
  if (own.username !== "" || own.password !== "") {
    throw new TypeError("Cannot use a URL with a login: set username and MEANDER_REGISTRY_PASSWORD instead");
  }
  return url.replace(/\/+$/, "");
}

/** The text of a response; `null` = it is too large. */
async function textOf(response: Response): Promise<string | null> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) return null;
    parts.push(part);
  }
  return await new Blob(parts).text();
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isRecord(json) ? json : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
