/** Texts in records that are JSON themselves, plain or in base64. */

import { type ParsedJson, parseJson } from "../events/json.ts";

/** Base64, of either alphabet, of a text that begins with a brace or bracket. No JSON begins with these letters. */
const BASE64 = /^[eW][\w+/-]+={0,2}$/;

/** Parses a text. @param what names it in the reason */
export function parseTextJson(text: string, what: string): ParsedJson {
  return parseJson(bytesIn(text) ?? new TextEncoder().encode(text), what, { keepsLongs: true });
}

/** The bytes that a text is base64 of. */
function bytesIn(text: string): Uint8Array | undefined {
  if (!BASE64.test(text)) return undefined;
  try {
    return Uint8Array.fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined; // it only looks like base64
  }
}
