/**
 * What goes over a port between a `RemoteLog` and the log that is served to it.
 *
 * ```text
 *   { call, method, args }   ──>      { call, result } or { call, error }
 *   { cancel: call }         ──>      whoever waits for records waits no more
 * ```
 * The values of several records travel in one buffer, which is handed over and not copied again.
 *
 * @module
 */

import { LOG_ERROR_CODES, LogError, type LogErrorCode } from "./log.ts";

/** What can be asked for. */
export const METHODS = [
  "createTopics",
  "topics",
  "append",
  "read",
  "latest",
  "bounds",
  "committed",
  "trim",
  "openWriter",
  "commit",
  "closeWriter",
] as const;

/** One of {@linkcode METHODS}. */
export type Method = (typeof METHODS)[number];

/** To the log. */
export type PortRequest =
  | { readonly call: number; readonly method: Method; readonly args: readonly unknown[] }
  | { readonly cancel: number };

/** From the log. */
export interface PortReply {
  /** What it answers. */
  readonly call: number;
  /** How it went. */
  readonly result?: unknown;
  /** What went wrong. */
  readonly error?: PortError;
}

/** An error, in a form that can be cloned. */
export interface PortError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
}

/** Records whose values lie one behind the other in a buffer. */
export interface PackedRecords<R> {
  /** The records, with the length of their value in place of it. */
  readonly records: readonly (Omit<R, "value"> & { readonly length: number | null })[];
  /** Their values. */
  readonly bytes: ArrayBuffer;
}

/** Packs records; their values are copied once. */
export function packRecords<R extends { readonly value: Uint8Array | null }>(
  records: readonly R[],
): PackedRecords<R> {
  const bytes = new Uint8Array(records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0));
  let at = 0;
  const packed = records.map(({ value, ...rest }) => {
    if (value !== null) bytes.set(value, at);
    at += value?.length ?? 0;
    return { ...rest, length: value?.length ?? null };
  });
  return { records: packed, bytes: bytes.buffer };
}

/** Unpacks records; their values are views of the buffer. */
export function unpackRecords<R extends { readonly value: Uint8Array | null }>(
  { records, bytes }: PackedRecords<R>,
): R[] {
  let at = 0;
  return records.map(({ length, ...rest }) => {
    const value = length === null ? null : new Uint8Array(bytes, at, length);
    at += length ?? 0;
    return { ...rest, value } as unknown as R;
  });
}

/** An error as it travels. */
export function packError(error: unknown): PortError {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: undefined, code: undefined };
  }
  const { name, message, stack } = error;
  return { name, message, stack, code: "code" in error ? error.code : undefined };
}

/** The error that was thrown on the other side: its class, if it is one that callers tell apart. */
export function unpackError({ name, message, stack, code }: PortError): Error {
  const error = name === "LogError" && (LOG_ERROR_CODES as readonly unknown[]).includes(code)
    ? new LogError(code as LogErrorCode, message)
    : name === "RangeError"
    ? new RangeError(message)
    : name === "TypeError"
    ? new TypeError(message)
    : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
