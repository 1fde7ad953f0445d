/**
 * How large a frame of LZ4 unpacks, before it is unpacked.
 * Format: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>.
 *
 * @module
 */

const MAGIC = 0x184d2204;
/** Bits of the frame's descriptor. */
const BLOCK_CHECKSUM = 0x10, CONTENT_SIZE = 0x08, DICTIONARY = 0x01;
/** Mask of a block's size; the other bit marks a block that is not compressed. */
const SIZE = 0x7fffffff;

/**
 * The most bytes that a frame unpacks to, as if each block were full; 0 if it is no frame. O(blocks).
 *
 * @throws RangeError when it ends early
 */
export function mostUnpacked(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return 0;
  const flags = view.getUint8(4);
  const blockBytes = 2 ** (8 + 2 * (view.getUint8(5) >> 4 & 7));
  const afterBlock = (flags & BLOCK_CHECKSUM) === 0 ? 0 : 4;
  let at = 7 + ((flags & CONTENT_SIZE) === 0 ? 0 : 8) + ((flags & DICTIONARY) === 0 ? 0 : 4);
  let most = 0;
  for (let size = view.getUint32(at, true); size !== 0; size = view.getUint32(at, true)) {
    most += blockBytes;
    at += 4 + (size & SIZE) + afterBlock;
  }
  return most;
}
