/**
 * From which pages a request may come, and by which name we may be called: what a browser is made to send to us, its user
 * does not know of.
 *
 * @module
 */

import { Problem } from "./contract/problem.ts";

/** Options of {@linkcode Callers}. */
export interface CallersOptions {
  /** Where we listen. @default {"127.0.0.1"} */
  readonly hostname?: string | undefined;
  /** Names by which we are called, beside those of this machine; `undefined` = any, unless only `isGuarded` ones may. */
  readonly hosts?: readonly string[] | undefined;
  /** Whether nobody needs a key. */
  readonly isOpen: boolean;
  /** Origins of pages that may call; `*` = all. @default {[]} */
  readonly cors?: readonly string[] | undefined;
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i;
const LOOPBACK = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const MAX_KNOWN = 100;

/** Whether a place can be reached from this machine alone. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname.includes(":") ? `[${hostname}]` : hostname);
}

/** Looks at who calls, and what us. */
export class Callers {
  readonly #names: ReadonlySet<string> | undefined;
  readonly #origins: ReadonlySet<string>;
  /** What was found of values of `Host`, of which there are few. */
  readonly #known = new Map<string, "fine" | "bad" | "foreign">();

  /** Without keys a server that only this machine reaches has the names of this machine, and those of `hosts`. */
  constructor({ hostname = "127.0.0.1", hosts, isOpen, cors = [] }: CallersOptions) {
    const isGuarded = hosts !== undefined || isOpen && isLoopback(hostname);
    this.#names = isGuarded ? new Set([...hosts ?? [], hostname].map(plain)) : undefined;
    this.#origins = new Set(cors);
  }

  /**
   * Looks at a name that we are called by.
   *
   * @throws Problem `bad-host` when it is none, `foreign-host` when it is another's: a page whose name was made to lead to
   *   us (DNS rebinding) is of the same origin to its browser
   */
  checkHost(host: string): void {
    let found = this.#known.get(host);
    if (found === undefined) {
      found = this.#look(host);
      if (this.#known.size >= MAX_KNOWN) this.#known.clear();
      this.#known.set(host, found);
    }
    if (found === "bad") throw new Problem("bad-host", "Host is no name or address with a port");
    if (found === "foreign") {
      throw new Problem("foreign-host", "We are not called by this name: add it to http.hosts, or set keys");
    }
  }

  /** Looks at where a request comes from. @throws Problem `cross-site` when that is a page of another origin that is not named */
  checkOrigin(headers: Headers): void {
    const site = headers.get("sec-fetch-site");
    const origin = headers.get("origin");
    if (site === null && origin === null) return; // no browser, or an old one that reads
    if (site === "same-origin" || site === "none") return;
    if (this.#origins.has("*") || origin !== null && this.#origins.has(origin)) return;
    if (site === null && origin?.replace(/^https?:\/\//, "") === headers.get("host")) return;
    throw new Problem("cross-site", "A page of another origin may not do this: name its origin in http.cors");
  }

  #look(host: string): "fine" | "bad" | "foreign" {
    const [, name = "", port = "0"] = HOST.exec(host) ?? [];
    if (name === "" || Number(port) > 65_535 || !URL.canParse(`http://${host}/`)) return "bad";
    const own = plain(name);
    return this.#names === undefined || this.#names.has(own) || LOOPBACK.test(own) ? "fine" : "foreign";
  }
}

/** A name as it is compared. */
function plain(name: string): string {
  const small = name.toLowerCase().replace(/\.$/, "");
  return small.includes(":") && !small.startsWith("[") ? `[${small}]` : small;
}
