/**
 * Formats of other systems that code maps rather than rules: code can keep fields that our events lack, and join lists
 * of `{name, value}`.
 */

import { parseEasyRec } from "../../src/adapters/easyrec.ts";
import { parseGorse } from "../../src/adapters/gorse.ts";
import type { Mapped } from "../../src/adapters/mapped.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import { mapEach } from "../../src/mapping/entries.ts";
import type { Mapping } from "../../src/mapping/mapping.ts";
import { adapt } from "./adapt.ts";

/** Names of these formats. */
export const CODED_FORMATS = ["metarank", "gorse", "easyrec"] as const;

/** One of {@linkcode CODED_FORMATS}. */
export type CodedFormat = (typeof CODED_FORMATS)[number];

/** Maps a JSON value; `time` is used where the value has none. Throws a SyntaxError when it cannot. */
const ADAPTERS: Readonly<Record<CodedFormat, (value: unknown, options: { time: number }) => Mapped>> = {
  metarank: parseMetarank,
  gorse: parseGorse,
  easyrec: parseEasyRec,
};

/** The mapping of a format: a value, or each value of a list by itself. A tombstone becomes nothing. */
export function codedMapping(format: CodedFormat): Mapping["map"] {
  const adapter = ADAPTERS[format];
  return (value, { time = MIN_TIME_MS, tombstone }) => {
    if (tombstone) return { ok: true, records: [] };
    const one = (value: unknown) => adapt(() => adapter(value, { time }));
    return Array.isArray(value) ? mapEach(value, one) : one(value);
  };
}
