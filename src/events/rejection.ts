/** The record of a rejection, on the `rejected` topic or for a file: the place, the reason and the bytes. */

import { MAX_ID_BYTES } from "./limits.ts";
import type { Rejected, RejectionCode } from "./rejected.ts";

/** Most bytes of a rejected record that are kept. */
export const MAX_REJECTED_BYTES = 64 * 1024;

/** A place on the log. */
export interface LogPlace {
  /** Name of the topic. */
  readonly topic: string;
  /** Partition of the topic. */
  readonly partition: number;
  /** Offset in the partition. */
  readonly offset: number;
}

/** A line of a file. */
export interface FilePlace {
  /** Path of the file as it was opened. */
  readonly file: string;
  /** Number of the line; the first is 1. */
  readonly line: number;
}

/** A record of the `rejected` topic: the place, the reason and the bytes of what was rejected. */
export type Rejection = (LogPlace | FilePlace) & {
  readonly code: RejectionCode;
  readonly reason: string;
  /** The format, or source of the configuration, that it was read with; absent for the deployment's own topics. */
  readonly source?: string;
  /** The rule of the source's mapping that rejected it. */
  readonly rule?: string;
  /** Places of the entries in it that were rejected, such as `lines[3]`; absent = nothing of it was taken. */
  readonly entries?: readonly string[];
  /** Rejections of the same code and rule before it that were left out, since the last one that was not. */
  readonly others?: number;
  /** Base64 of its bytes, at most the first {@linkcode MAX_REJECTED_BYTES} of them. */
  readonly bytes: string;
  /** Present when `bytes` is only the beginning. */
  readonly cut?: true;
};

/**
 * Makes the record of a rejection. `size` is the full size when `bytes` is only the beginning; `source` is the format,
 * or source of the configuration, that it was read with.
 */
export function rejectionOf(
  place: (LogPlace | FilePlace) & { readonly source?: string },
  rejected: Rejected,
  bytes: Uint8Array,
  size: number = bytes.length,
): Rejection {
  const kept = bytes.subarray(0, MAX_REJECTED_BYTES);
  const { code, reason, rule, entries } = rejected;
  const named = { ...(rule !== undefined && { rule }), ...(entries && { entries }) };
  const rejection = { ...place, code, reason, ...named, bytes: kept.toBase64() };
  return kept.length < size ? { ...rejection, cut: true } : rejection;
}

/** How many records, or entries of records, a rejection stands for. */
export function countOf({ entries, others = 0 }: Pick<Rejection, "entries" | "others">): number {
  return (entries?.length ?? 1) + others;
}

/** Where the rejected record was, fit for a message. */
export function placeOf(rejection: LogPlace | FilePlace): string {
  return "file" in rejection
    ? `${rejection.file}:${rejection.line}`
    : `${rejection.topic}/${rejection.partition}@${rejection.offset}`;
}

/** The key of a rejection: that of the rejected record, unless it is longer than any id. */
export function rejectionKey(key: string | null): string | null {
  return key === null || key.length > MAX_ID_BYTES ? null : key;
}

/** Decodes the output of {@linkcode encodeRejection}. */
export function decodeRejection(bytes: Uint8Array): Rejection {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Bytes of a rejection, for the `rejected` topic. */
export function encodeRejection(rejection: Rejection): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(rejection));
}
