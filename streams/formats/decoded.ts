/** Decodes untrusted bytes. */

import type { ParsedJson } from "../../src/events/json.ts";
import { rejectUnplain } from "../../src/events/check.ts";
import { countKeys } from "../../src/events/plain.ts";
import { reject } from "../../src/events/rejected.ts";
import { DecodeError } from "./byte_input.ts";

/** Decodes a record, or says why it cannot. @param what its format and schema, or where it is, for the reason */
export function decoded(decode: (bytes: Uint8Array) => unknown, body: Uint8Array, what: string): ParsedJson {
  try {
    const value = decode(body);
    return countKeys(value) < 0 ? rejectUnplain(value, "record") : { ok: true, value };
  } catch (error) {
    if (error instanceof SyntaxError) {
      return reject("unknown-schema", `Cannot decode the record as ${what}: ${error.message}`);
    }
    if (!(error instanceof DecodeError)) throw error;
    const field = error.path === "" ? "" : `field ${error.path}: `;
    return reject("undecodable", `Cannot decode the record as ${what}: ${field}${error.message}`);
  }
}
