/**
 * Events, items and recommendations to and from their bytes on the log: UTF-8 JSON, one object per record.
 *
 * Decoding never throws: it returns a {@linkcode Rejected}. Encoding throws on whatever decoding would reject, so that
 * it never reaches the log.
 */

import {
  checkEvent,
  checkEventFields,
  checkItem,
  checkItemFields,
  checkRecommendation,
  checkRecommendationFields,
  type DecodedEvent,
  type DecodedItem,
  type DecodedRecommendation,
} from "./check.ts";
import type { Event, ItemRecord } from "./event.ts";
import { parseJson, rejectLarge } from "./json.ts";
import type { Recommendation } from "./recommendation.ts";
import type { Rejected } from "./rejected.ts";
import { MAX_RECORD_BYTES } from "./limits.ts";

const ENCODER = new TextEncoder();

/**
 * Decodes and validates an event, UTF-8 JSON. Unknown fields stay on it.
 *
 * @example
 * ```ts
 * import { decodeEvent, encodeEvent } from "@meander/meander/core";
 * import assert from "node:assert/strict";
 *
 * const event = { type: "interaction", user: "u1", time: 1_700_000_000_000, item: "i1", action: "click" } as const;
 * assert.deepEqual(decodeEvent(encodeEvent(event)), { ok: true, event });
 *
 * const decoded = decodeEvent(new TextEncoder().encode('{"type":"interaction"'));
 * assert.ok(!decoded.ok);
 * assert.equal(decoded.code, "truncated-json");
 * ```
 */
export function decodeEvent(bytes: Uint8Array): DecodedEvent {
  const parsed = parseJson(bytes, "event");
  return parsed.ok ? checkEventFields(parsed.value) : parsed;
}

/**
 * Decodes and validates an item of the catalogue, UTF-8 JSON.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeItem, encodeItem } from "@meander/meander/core";
 *
 * const item = { item: "tent", time: 1_767_225_600_000, category: "camping" };
 * assert.deepEqual(decodeItem(encodeItem(item)), { ok: true, item });
 * ```
 */
export function decodeItem(bytes: Uint8Array): DecodedItem {
  const parsed = parseJson(bytes, "item");
  return parsed.ok ? checkItemFields(parsed.value) : parsed;
}

/**
 * Decodes and validates a recommendation, UTF-8 JSON.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeRecommendation } from "@meander/meander/core";
 *
 * const answer = decodeRecommendation(new TextEncoder().encode("{"));
 * assert.equal(answer.ok, false);
 * ```
 */
export function decodeRecommendation(bytes: Uint8Array): DecodedRecommendation {
  const parsed = parseJson(bytes, "recommendation");
  return parsed.ok ? checkRecommendationFields(parsed.value) : parsed;
}

/**
 * Encodes an event as UTF-8 JSON.
 *
 * @throws TypeError when {@linkcode decodeEvent} would reject it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeEvent, encodeEvent } from "@meander/meander/core";
 *
 * const bytes = encodeEvent({ type: "forget", user: "ann", time: 1_767_225_600_000 });
 * assert.ok(decodeEvent(bytes).ok);
 * ```
 */
export function encodeEvent(event: Event): Uint8Array<ArrayBuffer> {
  return encode(event, checkEvent(event), "event");
}

/**
 * Encodes an item as UTF-8 JSON.
 *
 * @throws TypeError when {@linkcode decodeItem} would reject it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeItem } from "@meander/meander/core";
 *
 * const bytes = encodeItem({ item: "tent", time: 1_767_225_600_000 });
 * assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), { item: "tent", time: 1_767_225_600_000 });
 * ```
 */
export function encodeItem(item: ItemRecord): Uint8Array<ArrayBuffer> {
  return encode(item, checkItem(item), "item");
}

/**
 * Encodes a recommendation as UTF-8 JSON.
 *
 * @throws TypeError when {@linkcode decodeRecommendation} would reject it
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeRecommendation, encodeRecommendation, type Recommendation } from "@meander/meander/core";
 *
 * const items = [{ item: "tent", score: 0.2, position: 0, propensity: 1, source: "popular" }] as const;
 * const answer: Recommendation = {
 *   request: "r1", user: "ann", time: 1_767_225_600_000, items, model: "dien",
 *   version: 1, stateVersion: 0, tookMicros: 900,
 * };
 * assert.deepEqual(decodeRecommendation(encodeRecommendation(answer)), { ok: true, recommendation: answer });
 * ```
 */
export function encodeRecommendation(recommendation: Recommendation): Uint8Array<ArrayBuffer> {
  return encode(recommendation, checkRecommendation(recommendation), "recommendation");
}

/** Encodes an already checked record as UTF-8 JSON; rejects one that is too large for the log. */
export function recordBytes(
  record: Event | ItemRecord | Recommendation,
  what: string,
): Uint8Array<ArrayBuffer> | Rejected {
  const bytes = ENCODER.encode(JSON.stringify(record));
  return bytes.length > MAX_RECORD_BYTES ? rejectLarge(bytes.length, what) : bytes;
}

function encode(
  record: Event | ItemRecord | Recommendation,
  checked: { readonly ok: true } | Rejected,
  what: string,
): Uint8Array<ArrayBuffer> {
  if (!checked.ok) throw new TypeError(checked.reason);
  const bytes = recordBytes(record, what);
  if (bytes instanceof Uint8Array) return bytes;
  throw new TypeError(bytes.reason);
}
