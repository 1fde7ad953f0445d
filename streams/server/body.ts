/**
 * Bodies of requests, bounded: as they come and as they unpack.
 *
 * @module
 */

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { within } from "./deadline.ts";
import { Problem } from "./problem.ts";

const unzip = promisify(gunzip);

/** How long a body may take to come. */
const TIMEOUT_MS = 30_000;

/**
 * Reads a body of at most `maxBytes`, packed and unpacked.
 *
 * @throws Problem `too-large`, `unsupported-media-type` or `bad-body`
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") {
    throw new Problem(
      "unsupported-media-type",
      `Bodies may be gzip, not ${JSON.stringify(encoding.slice(0, 40))}`,
      {
        headers: { "accept-encoding": "gzip" },
      },
    );
  }
  const packed = await collect(request, maxBytes);
  if (encoding === "identity") return packed;
  try {
    return await unzip(packed, { maxOutputLength: maxBytes });
  } catch (cause) {
    const { code } = cause as { readonly code?: unknown };
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes, cause);
    throw new Problem("bad-body", `Cannot unpack the body as gzip: ${(cause as Error).message}`, { cause });
  }
}

async function collect(request: Request, maxBytes: number): Promise<Uint8Array> {
  const { headers } = request;
  const declared = headers.get("content-length");
  if (Number(declared ?? 0) > maxBytes) throw tooLarge(maxBytes);
  // No more than was declared will come: it may be read at once, which spares a turn of the event loop for each part.
  if (declared !== null && !headers.has("transfer-encoding")) return await whole(request);
  return request.body === null ? new Uint8Array(0) : await collectParts(request.body, maxBytes);
}

async function whole(request: Request): Promise<Uint8Array> {
  try {
    return await within(request.bytes(), TIMEOUT_MS, late);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw brokenOff(cause);
  }
}

async function collectParts(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  let isLate = false;
  const reader = body.getReader();
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {}); // the client may be gone
  }, TIMEOUT_MS);
  try {
    for (;;) {
      const { done, value: part } = await reader.read();
      if (done) break;
      size += part.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw brokenOff(cause);
  } finally {
    clearTimeout(timer);
  }
  if (isLate) throw late();
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function late(): Problem {
  return new Problem("body-timeout", `The body was not there after ${TIMEOUT_MS} ms`);
}

function brokenOff(cause: unknown): Problem {
  return new Problem("bad-body", "The body broke off", { cause });
}

function tooLarge(maxBytes: number, cause?: unknown): Problem {
  return new Problem("too-large", `A body has at most ${maxBytes} bytes`, { cause });
}

/** What a body may be. */
export type BodyKind = "json" | "lines";

const KINDS: ReadonlyMap<string, BodyKind> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "lines"],
  ["application/ndjson", "lines"],
  ["application/jsonl", "lines"],
  ["application/x-jsonlines", "lines"],
]);

/**
 * What the body of a request is. It has to say so: what a browser sends without asking for leave first, from any page,
 * has no type or one of a form.
 *
 * @throws Problem `unsupported-media-type`
 */
export function bodyKind(headers: Headers, allowed: readonly BodyKind[]): BodyKind {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  const kind = KINDS.get(type);
  if (kind !== undefined && allowed.includes(kind)) return kind;
  const known = [...KINDS].filter(([, kind]) => allowed.includes(kind)).map(([type]) => type);
  throw new Problem("unsupported-media-type", `Content-Type must be one of ${known.join(", ")}`, {
    headers: { accept: known.join(", ") },
  });
}
