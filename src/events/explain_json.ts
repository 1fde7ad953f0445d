/** Parses a rejected text again, slowly, to find its first error. */

import { reject, type Rejected, type RejectionCode, shown } from "./rejected.ts";

/** The first error of a text that is not JSON, or in which an object repeats a key. */
export function explainJson(text: string, what: string): Rejected {
  try {
    new Reader(text).readAll();
  } catch (violation) {
    if (violation instanceof JsonViolation) {
      return reject(violation.code, `Cannot parse the ${what} as JSON: ${violation.message}`);
    }
    throw violation;
  }
  return reject("invalid-json", `Cannot parse the ${what} as JSON: current value is ${shown(text)}`);
}

class JsonViolation extends Error {
  readonly code: RejectionCode;

  constructor(code: RejectionCode, message: string) {
    super(message);
    this.code = code;
  }
}

const SPACE = 0x20, TAB = 0x09, LF = 0x0a, CR = 0x0d, QUOTE = 0x22, BACKSLASH = 0x5c;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SCALAR = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const NOT_FINITE = /-?(?:NaN|Infinity)\b/y;

/** A recursive descent over the grammar of RFC 8259; the caller has bounded the depth. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readAll(): void {
    this.#value();
    if (this.#at < this.#text.length) this.#fail("the end");
  }

  #value(): void {
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{") this.#members();
    else if (first === "[") this.#elements();
    else if (first === '"') this.#string();
    else this.#scalar();
    this.#space();
  }

  #members(): void {
    const keys = new Set<string>();
    this.#at++;
    this.#space();
    if (this.#take("}")) return;
    do {
      this.#space();
      const start = this.#at;
      const key = this.#string();
      if (keys.has(key)) {
        throw new JsonViolation("duplicate-key", `key ${shown(key)} at character ${start} occurs twice`);
      }
      keys.add(key);
      this.#space();
      if (!this.#take(":")) this.#fail("a colon");
      this.#value();
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("a comma or a closing brace");
  }

  #elements(): void {
    this.#at++;
    this.#space();
    if (this.#take("]")) return;
    do this.#value(); while (this.#take(","));
    if (!this.#take("]")) this.#fail("a comma or a closing bracket");
  }

  #string(): string {
    const text = this.#text;
    if (text[this.#at] !== '"') this.#fail("a quote");
    const start = this.#at++;
    let isEscaped = false;
    for (let code = text.charCodeAt(this.#at); code !== QUOTE; code = text.charCodeAt(this.#at)) {
      const size = code === BACKSLASH ? this.#sizeOf(ESCAPE) : code >= SPACE ? 1 : 0;
      if (size === 0) this.#fail("the rest of a string"); // also at the end
      isEscaped ||= code === BACKSLASH;
      this.#at += size;
    }
    this.#at++;
    return isEscaped ? JSON.parse(text.slice(start, this.#at)) : text.slice(start + 1, this.#at - 1);
  }

  #scalar(): void {
    const start = this.#at;
    const size = this.#sizeOf(SCALAR);
    if (size === 0) {
      const word = this.#text.slice(start, start + this.#sizeOf(NOT_FINITE));
      if (word === "") this.#fail("a value");
      throw new JsonViolation("not-finite", `${word} at character ${start} is not a number of JSON`);
    }
    this.#at += size;
  }

  /** Skips white space. */
  #space(): void {
    for (let code = this.#text.charCodeAt(this.#at); isSpace(code); code = this.#text.charCodeAt(this.#at)) {
      this.#at++;
    }
  }

  /** Characters that a sticky pattern matches here. */
  #sizeOf(pattern: RegExp): number {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text) ? pattern.lastIndex - this.#at : 0;
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #fail(wanted: string): never {
    const left = this.#text.slice(this.#at, this.#at + 12);
    // A word or an escape that the end cuts off is a truncation too.
    const cut = this.#at + left.length === this.#text.length && isCutOff(left);
    if (cut) {
      throw new JsonViolation(
        "truncated-json",
        `it ends at character ${this.#text.length}, before ${wanted}`,
      );
    }
    throw new JsonViolation(
      "invalid-json",
      `expected ${wanted} at character ${this.#at} but got ${shown(left)}`,
    );
  }
}

function isSpace(code: number): boolean {
  return code === SPACE || code === LF || code === CR || code === TAB;
}

function isCutOff(left: string): boolean {
  if (left === "" || left === "-") return true;
  if (["true", "false", "null", "NaN", "Infinity"].some((word) => word.startsWith(left))) return true;
  return /^\\(?:u[0-9a-fA-F]{0,3})?$/.test(left);
}
