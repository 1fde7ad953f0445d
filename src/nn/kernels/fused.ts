/**
 * Whether the relaxed SIMD of this machine rounds a·b + c once. WebAssembly leaves that open: processors without fused
 * multiply-add round twice. Where it rounds once, results are the same bits on every processor.
 *
 * @module
 */

/** `(x, y) => relaxed_madd(x, x, y)` of the first lane. */
const PROBE = Uint8Array.from([
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
  [0x01, 0x07, 0x01, 0x60, 0x02, 0x7d, 0x7d, 0x01, 0x7d], // type (f32, f32) -> f32
  [0x03, 0x02, 0x01, 0x00], // one function of it
  [0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00], // export "f"
  [0x0a, 0x16, 0x01, 0x14, 0x00], // code, no locals
  [0x20, 0x00, 0xfd, 0x13, 0x20, 0x00, 0xfd, 0x13, 0x20, 0x01, 0xfd, 0x13], // splat x, x, y
  [0xfd, 0x85, 0x02, 0xfd, 0x1f, 0x00, 0x0b], // f32x4.relaxed_madd, f32x4.extract_lane 0
].flat());

let fuses: boolean | undefined;

/** Whether relaxed SIMD is available and fuses. */
export function fusesMultiplyAdd(): boolean {
  return fuses ??= probe();
}

function probe(): boolean {
  if (!WebAssembly.validate(PROBE)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(PROBE));
  const madd = exports.f as (x: number, y: number) => number; // of PROBE
  // (1 + 2⁻¹²)² is 1 + 2⁻¹¹ + 2⁻²⁴, of which a float keeps all but the last term.
  return madd(1 + 2 ** -12, -(1 + 2 ** -11)) === 2 ** -24;
}
