/**
 * Reads request bodies within limits: for each, compressed and decompressed, and for all that are not answered yet.
 */

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { reasonOf } from "../../src/values/reason.ts";
import { ignore } from "../log/ignore.ts";
import { InTurn } from "../log/in_turn.ts";
import { HTTP_LIMITS } from "./contract/limits.ts";
import { Problem } from "./contract/problem.ts";
import { Deadlines } from "./deadline.ts";

const unzip = promisify(gunzip);

export interface BodiesOptions {
  /** Largest body, bytes, compressed and decompressed. */
  readonly maxBytes: number;
  /** Most bytes of all bodies that are being read or handled; at least `maxBytes`. @default {67108864} */
  readonly maxInFlightBytes?: number | undefined;
  /** Longest wait for a body, milliseconds. @default {30_000} */
  readonly timeoutMs?: number | undefined;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/**
 * Bodies of at most this declared length have a share of the room to themselves: by default, enough for one per
 * connection. A client that announces large bodies and stalls blocks only other large ones.
 */
const SMALL_BYTES = 8 << 10;
const SMALL_SHARE = 1 / 8;
const TIMEOUT_MS = 30_000;
/** Bodies of at most this declared length are read at once, which saves a turn of the event loop per part. */
const AT_ONCE_BYTES = 256 << 10;
/** The least room of a body, and of its next part. With larger ones, a thousand slow bodies would fill the memory. */
const FIRST_ROOM_BYTES = 4 << 10;
/** The largest part. */
const PART_BYTES = 64 << 10;
/** Slower bodies are dropped when there is no room left. */
const MIN_BYTES_PER_MS = 64;
const GRACE_MS = 2000;

interface Room {
  readonly max: number;
  used: number;
}

/** A body in memory. */
interface Held {
  bytes: number;
  room: Room;
}

/** A body that is being read. */
interface Reading {
  readonly held: Held;
  /** Bytes received, if known. */
  come: number;
  /** When, and after how many bytes, it became too slow. */
  slow: { at: number; come: number };
  readonly drop: (problem: Problem) => void;
}

/** Reads bodies within a common bound. */
export class Bodies {
  readonly #maxBytes: number;
  /** For bodies of any size. */
  readonly #room: Room;
  /** For small bodies when the other room is full. */
  readonly #smallRoom: Room;
  readonly #timeoutMs: number;
  readonly #deadlines: Deadlines;
  readonly #clock: () => number;
  readonly #held = new Map<Request, Held>();
  readonly #reading = new Map<Request, Reading>();
  /** Bodies are decompressed one at a time, as their final size is not known beforehand. */
  readonly #unpacking = new InTurn();

  /** Starts without bodies. */
  constructor(
    { maxBytes, maxInFlightBytes = HTTP_LIMITS.maxInFlightBytes.value, timeoutMs, clock }: BodiesOptions,
  ) {
    this.#maxBytes = maxBytes;
    const all = Math.max(maxBytes, maxInFlightBytes);
    const small = Math.min(Math.floor(all * SMALL_SHARE), all - maxBytes); // the largest still has room
    this.#room = { max: all - small, used: 0 };
    this.#smallRoom = { max: small, used: 0 };
    this.#timeoutMs = timeoutMs ?? TIMEOUT_MS;
    this.#deadlines = new Deadlines(this.#timeoutMs);
    this.#clock = clock;
  }

  /** Bytes in memory now. */
  get inFlight(): number {
    return this.#room.used + this.#smallRoom.used;
  }

  /**
   * Reads the body of a request. Its bytes count until {@linkcode Bodies.release}.
   *
   * @param maxBytes bound for this body, if lower than the general one
   * @throws Problem `too-large`, `unsupported-media-type`, `bad-body`, `body-timeout`, or `unavailable` when too many
   *   bytes are in flight
   */
  async read(request: Request, maxBytes = this.#maxBytes): Promise<Uint8Array> {
    const most = Math.min(maxBytes, this.#maxBytes);
    const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
    if (encoding !== "identity" && encoding !== "gzip") {
      throw new Problem(
        "unsupported-media-type",
        `Bodies may be gzip, not ${JSON.stringify(encoding.slice(0, 40))}`,
        { headers: { "accept-encoding": "gzip" } },
      );
    }
    const held: Held = { bytes: 0, room: this.#room };
    this.#held.set(request, held);
    const packed = await this.#collect(request, held, most);
    if (encoding === "identity") return packed;
    const bytes = await this.#unpacking.run(() => unpack(packed, most));
    this.#resize(held, bytes.length);
    return bytes;
  }

  /** Whether the body of a request is being read. */
  isArriving(request: Request): boolean {
    return this.#reading.has(request);
  }

  /** Whether the body of a request is being read and has been too slow for a while. */
  isStalled(request: Request): boolean {
    const reading = this.#reading.get(request);
    return reading !== undefined && isStalled(reading, this.#clock());
  }

  /** Releases the body of a request that was answered. */
  release(request: Request): void {
    const held = this.#held.get(request);
    if (held === undefined) return;
    this.#held.delete(request);
    free(held);
  }

  async #collect(request: Request, held: Held, most: number): Promise<Uint8Array> {
    const { headers } = request;
    const declared = headers.get("content-length");
    if (Number(declared ?? 0) > most) throw tooLarge(most);
    const size = declared === null || headers.has("transfer-encoding") ? undefined : Number(declared);
    // Reading `body` creates a stream, which rules out the fast path below.
    if (size === undefined ? request.body === null : size === 0) return new Uint8Array(0);
    const { promise: dropped, reject: drop } = Promise.withResolvers<never>();
    ignore(dropped, "the body may have ended already");
    const reading: Reading = { held, come: 0, slow: { at: this.#clock(), come: 0 }, drop };
    const expire = () => drop(late(`did not end in ${this.#timeoutMs} ms`));
    this.#deadlines.add(expire);
    this.#reading.set(request, reading);
    try {
      // HTTP never delivers more than the declared length.
      if (size !== undefined && size <= AT_ONCE_BYTES) {
        if (size <= SMALL_BYTES && !hasRoom(this.#room, size)) held.room = this.#smallRoom;
        this.#resize(held, size);
        return await Promise.race([request.bytes(), dropped]);
      }
      return await this.#collectParts(
        request.body as ReadableStream<Uint8Array>, // empty bodies returned above
        reading,
        dropped,
        size ?? most,
        most,
      );
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      throw new Problem("bad-body", "The body was cut off", { cause });
    } finally {
      this.#deadlines.remove(expire);
      this.#reading.delete(request);
    }
  }

  /** Copies parts as they arrive: keeping a part of one byte would retain about a hundred bytes. */
  async #collectParts(
    body: ReadableStream<Uint8Array>,
    reading: Reading,
    dropped: Promise<never>,
    expected: number,
    most: number,
  ): Promise<Uint8Array> {
    let room = new Uint8Array(0);
    const parts = partsOf(body);
    try {
      for (;;) {
        const { done, value: part } = await Promise.race([parts.next(reading.come), dropped]);
        if (done) break;
        const size = reading.come + part.length;
        if (size > most) throw tooLarge(most);
        if (size > room.length) {
          const larger = Math.max(size, Math.min(expected, Math.max(FIRST_ROOM_BYTES, 2 * room.length)));
          this.#resize(reading.held, larger);
          const grown = new Uint8Array(larger);
          grown.set(room.subarray(0, reading.come));
          room = grown;
        }
        room.set(part, reading.come);
        reading.come = size;
        const now = this.#clock();
        if (!isSlow(reading, now)) reading.slow = { at: now, come: size };
      }
    } catch (error) {
      ignore(parts.cancel(), "the client may be gone");
      throw error;
    }
    return room.subarray(0, reading.come);
  }

  /** Drops slow bodies when there is no room. @throws Problem `unavailable` when that is not enough */
  #resize(held: Held, bytes: number): void {
    if (bytes > SMALL_BYTES && held.room !== this.#room) { // it was decompressed
      free(held);
      held.room = this.#room;
    }
    const { room } = held;
    if (!hasRoom(room, bytes - held.bytes)) this.#dropSlow();
    if (!hasRoom(room, bytes - held.bytes)) {
      const detail =
        `Bodies of ${this.inFlight} bytes are in progress: at most ${this.#room.max + this.#smallRoom.max} ` +
        `may be, ${this.#smallRoom.max} of them in bodies of at most ${SMALL_BYTES} (http.maxInFlightBytes)`;
      throw new Problem("unavailable", detail, { headers: { "retry-after": "1" } });
    }
    room.used += bytes - held.bytes;
    held.bytes = bytes;
  }

  #dropSlow(): void {
    const now = this.#clock();
    for (const reading of this.#reading.values()) {
      const { held, come, slow, drop } = reading;
      const ms = now - slow.at;
      if (!isStalled(reading, now)) continue;
      free(held);
      drop(late(`is too slow, ${come - slow.come} bytes in ${Math.round(ms)} ms, and others need room`));
    }
  }
}

interface Parts {
  /** Reads the next part. @param come bytes so far: a fast body is read in larger parts */
  next(come: number): Promise<ReadableStreamReadResult<Uint8Array>>;
  cancel(): Promise<void>;
}

/** The parts of a body. One that is still arriving fills our buffers: the stream's own take 64 KiB for each read. */
function partsOf(body: ReadableStream<Uint8Array>): Parts {
  const own = byteReaderOf(body);
  if (own === null) {
    const reader = body.getReader();
    return { next: () => reader.read(), cancel: () => reader.cancel() };
  }
  const size = (come: number) => Math.min(PART_BYTES, Math.max(FIRST_ROOM_BYTES, come));
  return { next: (come) => own.read(new Uint8Array(size(come))), cancel: () => own.cancel() };
}

/** The body's reader; `null` when the body has arrived and the stream holds it all. */
function byteReaderOf(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}

function hasRoom({ max, used }: Room, bytes: number): boolean {
  return used + bytes <= max;
}

/** Frees the room of a body. */
function free(held: Held): void {
  held.room.used -= held.bytes;
  held.bytes = 0;
}

function isStalled(reading: Reading, now: number): boolean {
  return now - reading.slow.at >= GRACE_MS && isSlow(reading, now);
}

function isSlow({ come, slow }: Reading, now: number): boolean {
  return come - slow.come < (now - slow.at) * MIN_BYTES_PER_MS;
}

async function unpack(packed: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  try {
    return await unzip(packed, { maxOutputLength: maxBytes });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes, cause);
    throw new Problem("bad-body", `Cannot unpack the body as gzip: ${reasonOf(cause)}`, { cause });
  }
}

function late(how: string): Problem {
  return new Problem("body-timeout", `The body ${how}`);
}

function tooLarge(maxBytes: number, cause?: unknown): Problem {
  return new Problem("too-large", `A body has at most ${maxBytes} bytes`, { cause });
}
