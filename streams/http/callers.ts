/** Which pages and host names may call the server: any page can make a browser send requests. */

import { Problem } from "./contract/problem.ts";

export interface CallersOptions {
  /** Address that the server listens on. @default {"127.0.0.1"} */
  readonly hostname?: string | undefined;
  /** Host names in addition to this machine's; `undefined`: any, unless the server is open and local. */
  readonly hosts?: readonly string[] | undefined;
  /** Whether no key is needed. */
  readonly isOpen: boolean;
  /** Origins of pages that may call; `*`: all. @default {[]} */
  readonly cors?: readonly string[] | undefined;
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i;
const LOOPBACK = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const MAX_KNOWN = 100;

/** Whether an address can be reached from this machine only. */
function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname.includes(":") ? `[${hostname}]` : hostname);
}

/** Checks host names and origins. */
export class Callers {
  readonly #names: ReadonlySet<string> | undefined;
  readonly #origins: ReadonlySet<string>;
  /** Results by value of `Host`; clients send few different ones. */
  readonly #known = new Map<string, "fine" | "bad" | "foreign">();

  /** A local server without keys accepts only the names of this machine and `hosts`. */
  constructor({ hostname = "127.0.0.1", hosts, isOpen, cors = [] }: CallersOptions) {
    const isGuarded = hosts !== undefined || isOpen && isLoopback(hostname);
    this.#names = isGuarded ? new Set([...hosts ?? [], hostname].map(plain)) : undefined;
    this.#origins = new Set(cors);
  }

  /**
   * Checks a value of `Host`.
   *
   * @throws Problem `bad-host` when it is malformed; `foreign-host` when it is not ours: to a browser, a page whose
   *   name was made to resolve to us (DNS rebinding) has the same origin
   */
  checkHost(host: string): void {
    let found = this.#known.get(host);
    if (found === undefined) {
      found = this.#look(host);
      if (this.#known.size >= MAX_KNOWN) this.#known.clear();
      this.#known.set(host, found);
    }
    if (found === "bad") throw new Problem("bad-host", "Host is not a host name or address");
    if (found === "foreign") {
      throw new Problem("foreign-host", "Not a name of this server: add it to http.hosts, or set keys");
    }
  }

  /** Checks the origin of a request. @throws Problem `cross-site` when a page of another origin sends it */
  checkOrigin(headers: Headers): void {
    const site = headers.get("sec-fetch-site");
    const origin = headers.get("origin");
    if (site === null && origin === null) return; // not a browser, or a read by an old one
    if (site === "same-origin" || site === "none") return;
    if (this.#origins.has("*") || origin !== null && this.#origins.has(origin)) return;
    if (site === null && origin?.replace(/^https?:\/\//, "") === headers.get("host")) return;
    throw new Problem("cross-site", "A page of another origin may not do this: add its origin to http.cors");
  }

  #look(host: string): "fine" | "bad" | "foreign" {
    const [, name = "", port = "0"] = HOST.exec(host) ?? [];
    if (name === "" || Number(port) > 65_535 || !URL.canParse(`http://${host}/`)) return "bad";
    const own = plain(name);
    return this.#names === undefined || this.#names.has(own) || LOOPBACK.test(own) ? "fine" : "foreign";
  }
}

/** Normalises a host name for comparison. */
function plain(name: string): string {
  const small = name.toLowerCase().replace(/\.$/, "");
  return small.includes(":") && !small.startsWith("[") ? `[${small}]` : small;
}
