/**
 * Unpacks Snappy, as plain blocks or in the frames of xerial's Java library that Kafka's clients write.
 * Format: <https://github.com/google/snappy/blob/main/format_description.txt>.
 *
 * snappyjs and hyparquet are not used for this: a damaged length sends them into an endless loop.
 */

import { joined } from "./joined.ts";

/** `0x82 SNAPPY 0x00`, then two versions of four bytes each, then blocks, each preceded by its length. */
const FRAME = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const FRAME_HEAD = 16;
/** One tag of three bytes gives 64 bytes at most. */
const MAX_RATIO = 22;

/** Unpacks bytes. @throws RangeError when they are damaged, or unpack to more than `maxBytes` */
export function unpackSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (!FRAME.every((byte, at) => bytes[at] === byte)) return unpackBlock(bytes, maxBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Uint8Array[] = [];
  let size = 0;
  for (let at = FRAME_HEAD; at < bytes.length;) {
    const length = view.getUint32(at);
    at += 4;
    if (length > bytes.length - at) {
      throw new RangeError(`a block of ${length} bytes, where ${bytes.length - at} are left`);
    }
    const block = unpackBlock(bytes.subarray(at, at += length), maxBytes - size);
    blocks.push(block);
    size += block.length;
  }
  return joined(blocks);
}

function unpackBlock(bytes: Uint8Array, maxBytes: number): Uint8Array {
  let at = 0;
  let size = 0;
  for (let scale = 1;; scale *= 0x80) {
    const byte = bytes[at++];
    if (byte === undefined || scale > 2 ** 28) throw new RangeError("the size of a block does not end");
    size += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (size > maxBytes || size > MAX_RATIO * bytes.length) {
    throw new RangeError(`${bytes.length} bytes cannot unpack to ${size}`);
  }
  const out = new Uint8Array(size);
  let end = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    let length = (tag >>> 2) + 1;
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60;
        length = littleEndian(bytes, at, extra) + 1;
        at += extra;
      }
      if (length > bytes.length - at || length > size - end) {
        throw new RangeError(`a literal of ${length} bytes that are missing`);
      }
      out.set(bytes.subarray(at, at + length), end);
      at += length;
      end += length;
      continue;
    }
    if (kind === 1) length = ((tag >>> 2) & 7) + 4;
    const extra = kind === 3 ? 4 : kind;
    const back = littleEndian(bytes, at, extra) + (kind === 1 ? (tag >>> 5) * 256 : 0);
    at += extra;
    if (back === 0 || back > end || length > size - end) {
      throw new RangeError(`a copy of ${length} bytes from ${back} before byte ${end} of ${size}`);
    }
    if (back >= length) out.copyWithin(end, end - back, end - back + length);
    else for (let i = end; i < end + length; i++) out[i] = out[i - back]!;
    end += length;
  }
  if (end !== size) throw new RangeError(`${end} bytes where ${size} were announced`);
  return out;
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  if (count > bytes.length - at) throw new RangeError("a tag that does not end");
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
