/**
 * Parses a rejected text again, slowly, to find its first error.
 *
 * @module
 */

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
    this.#skip(/[ \t\n\r]*/y);
    const first = this.#text[this.#at];
    if (first === "{") this.#members();
    else if (first === "[") this.#elements();
    else if (first === '"') this.#string();
    else this.#scalar();
    this.#skip(/[ \t\n\r]*/y);
  }

  #members(): void {
    const keys = new Set<string>();
    this.#at++;
    this.#skip(/[ \t\n\r]*/y);
    if (this.#take("}")) return;
    do {
      this.#skip(/[ \t\n\r]*/y);
      const start = this.#at;
      const key = this.#string();
      if (keys.has(key)) {
        throw new JsonViolation("duplicate-key", `key ${shown(key)} at character ${start} occurs twice`);
      }
      keys.add(key);
      this.#skip(/[ \t\n\r]*/y);
      if (!this.#take(":")) this.#fail("a colon");
      this.#value();
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("a comma or a closing brace");
  }

  #elements(): void {
    this.#at++;
    this.#skip(/[ \t\n\r]*/y);
    if (this.#take("]")) return;
    do this.#value(); while (this.#take(","));
    if (!this.#take("]")) this.#fail("a comma or a closing bracket");
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') this.#fail("a quote");
    const start = this.#at++;
    // deno-lint-ignore no-control-regex -- these are what JSON forbids within a string
    this.#skip(/(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y);
    if (!this.#take('"')) this.#fail("the rest of a string");
    return JSON.parse(this.#text.slice(start, this.#at));
  }

  #scalar(): void {
    const start = this.#at;
    if (this.#skip(/-?(?:NaN|Infinity)\b/y)) {
      const word = this.#text.slice(start, this.#at);
      throw new JsonViolation("not-finite", `${word} at character ${start} is not a number of JSON`);
    }
    const known = this.#skip(/true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (!known) this.#fail("a value");
  }

  /** Skips what a sticky pattern matches here. @returns whether anything was skipped */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    this.#at += match?.[0].length ?? 0;
    return (match?.[0].length ?? 0) > 0;
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

function isCutOff(left: string): boolean {
  if (left === "" || left === "-") return true;
  if (["true", "false", "null", "NaN", "Infinity"].some((word) => word.startsWith(left))) return true;
  return /^\\(?:u[0-9a-fA-F]{0,3})?$/.test(left);
}
