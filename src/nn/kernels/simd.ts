/**
 * The kernels in SIMD WebAssembly: four floats per instruction, with fused multiply-add where the machine has relaxed
 * SIMD. Compiled from `assembly/` by `deno task kernels`.
 *
 * Each instance owns one linear memory. Weights and working memory are allocated in it
 * ({@linkcode SimdKernels.floats}), so calls pass addresses and copy nothing; arrays from elsewhere are copied in and
 * out. The memory is collected when kernels and arrays are unreachable.
 *
 * The memory grows on demand. It is a shared memory, so earlier views stay valid: each growth yields a new buffer over
 * the same bytes.
 */

import { RELAXED_SIMD, SIMD } from "./binary.ts";
import { fusesMultiplyAdd } from "./fused.ts";
import type { GruBackSteps, GruSteps } from "./gru_steps.ts";
import type { Kernels } from "./kernels.ts";
import { PLAIN } from "./plain.ts";

const PAGE_BYTES = 1 << 16;
/**
 * 16 MiB, enough for most models. The maximum is not allocated at once, because V8 would count it all as memory in use,
 * and the more is in use, the less often it collects garbage.
 */
const FIRST_PAGES = 1 << 8;
/** 1 GiB. */
const MAX_PAGES = 1 << 14;
/** Stands for "no array" where an address is expected. */
const NONE = -1;
/** Arrays begin at multiples of this, so a vector access past the end of one stays within its allocation. */
const ALIGNMENT = 64;

interface Exports {
  readonly gemm: (...operands: number[]) => void;
  readonly dot: (...operands: number[]) => void;
  readonly heapBase: WebAssembly.Global;
  readonly clear: (y: number, n: number) => void;
  readonly addRows: (y: number, x: number, scale: number, m: number, n: number) => void;
  readonly addRowSum: (db: number, dy: number, m: number, n: number) => void;
  readonly prelu: (f: number, s: number, alpha: number, m: number, n: number) => void;
  readonly preluBackward: (...operands: number[]) => void;
  readonly sigmoid: (y: number, x: number, n: number) => void;
  readonly tanh: (y: number, x: number, n: number) => void;
  readonly sigmoidBackward: (ds: number, f: number, n: number) => void;
  readonly mixRows: (...operands: number[]) => void;
  readonly mixRowsBackward: (...operands: number[]) => void;
  readonly gruForward: (...operands: number[]) => void;
  readonly gruBackward: (...operands: number[]) => void;
}

const modules = new Map<string, WebAssembly.Module | null>();

/** The compiled module, or null where the machine cannot run it. */
function moduleOf(base64: string): WebAssembly.Module | null {
  const cached = modules.get(base64);
  if (cached !== undefined) return cached;
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const compiled = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  modules.set(base64, compiled);
  return compiled;
}

/** Kernels with a memory of their own. */
export class SimdKernels implements Kernels {
  readonly name: "simd" | "relaxed-simd";
  readonly #exports: Exports;
  readonly #memory: WebAssembly.Memory;
  /** The buffer before the memory first grew, and those after it; all are views of the same bytes. */
  readonly #first: ArrayBufferLike;
  readonly #grown: ArrayBufferLike[] = [];
  #top: number;
  /** Holds copies of arrays from outside this memory during a call. */
  #stage: Float32Array;
  /** Holds an input row in the forward pass of a GRU, Uᵀ in its backward pass. */
  #work: Float32Array;

  /**
   * Whether this machine runs them. Relaxed ones require fused multiply-add, so that the name determines the bits of
   * results on every processor; without it they would not be faster either.
   */
  static supported(name: "simd" | "relaxed-simd"): boolean {
    return name === "simd" ? moduleOf(SIMD) !== null : fusesMultiplyAdd() && moduleOf(RELAXED_SIMD) !== null;
  }

  /** @throws RangeError when the machine cannot run them, or has no room for their memory. */
  constructor(name: "simd" | "relaxed-simd") {
    const compiled = SimdKernels.supported(name) ? moduleOf(name === "simd" ? SIMD : RELAXED_SIMD) : null;
    if (compiled === null) {
      throw new RangeError(`Cannot run ${name} kernels: this machine or runtime lacks the instructions`);
    }
    const memory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum: MAX_PAGES, shared: true });
    // Exports are untyped; the module is compiled from the functions that Exports lists.
    this.#exports = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Exports;
    this.#memory = memory;
    this.#first = memory.buffer;
    this.name = name;
    this.#top = Math.ceil(Number(this.#exports.heapBase.value) / ALIGNMENT) * ALIGNMENT;
    this.#stage = this.floats(0);
    this.#work = this.floats(0);
  }

  /** Allocates zeros in this memory; no array is freed on its own. @throws RangeError when it is full */
  floats(length: number): Float32Array {
    const at = this.#top;
    const top = at + Math.ceil((4 * length + 16) / ALIGNMENT) * ALIGNMENT;
    const limit = MAX_PAGES * PAGE_BYTES;
    if (top > limit - ALIGNMENT) {
      throw new RangeError(
        `Cannot allocate ${length} floats in the kernels' memory: ${at} of its ${limit} bytes are in use; ` +
          `plain kernels have no such limit`,
      );
    }
    if (top > this.#buffer.byteLength - ALIGNMENT) this.#grow(top + ALIGNMENT);
    this.#top = top;
    return new Float32Array(this.#buffer, at, length);
  }

  /** The newest buffer: all of the memory. */
  get #buffer(): ArrayBufferLike {
    return this.#grown.at(-1) ?? this.#first;
  }

  /** At least doubles the memory, to at least `bytes`. @throws RangeError when the machine has no room */
  #grow(bytes: number): void {
    const pages = this.#buffer.byteLength / PAGE_BYTES;
    const wanted = Math.max(2 * pages, Math.ceil(bytes / PAGE_BYTES));
    this.#memory.grow(Math.min(wanted, MAX_PAGES) - pages);
    this.#grown.push(this.#memory.buffer);
  }

  readonly addXW: Kernels["addXW"] = (y, yo, x, xo, w, wo, m, k, n) => {
    const c = this.#at(y, yo, m * n), a = this.#at(x, xo, m * k), b = this.#at(w, wo, k * n);
    if (c === 0 || a === 0 || b === 0) {
      return this.#staged([y, x, w], (y, x, w) => this.addXW(y, yo, x, xo, w, wo, m, k, n));
    }
    if (n === 1) this.#exports.dot(c, a, b, m, 1, k);
    else this.#exports.gemm(c, c, 4 * n, a, 4 * k, 4, b, m, k, n);
  };

  readonly addYWt: Kernels["addYWt"] = (dx, dxo, dy, dyo, w, wo, m, k, n) => {
    const c = this.#at(dx, dxo, m * k), a = this.#at(dy, dyo, m * n), b = this.#at(w, wo, k * n);
    if (c === 0 || a === 0 || b === 0) {
      return this.#staged([dx, dy, w], (dx, dy, w) => this.addYWt(dx, dxo, dy, dyo, w, wo, m, k, n));
    }
    if (n === 1) this.#exports.gemm(c, c, 4 * k, a, 4, 4, b, m, 1, k);
    else this.#exports.dot(c, a, b, m, k, n);
  };

  readonly addXtY: Kernels["addXtY"] = (dw, dwo, x, xo, dy, dyo, m, k, n) => {
    const c = this.#at(dw, dwo, k * n), a = this.#at(x, xo, m * k), b = this.#at(dy, dyo, m * n);
    if (c === 0 || a === 0 || b === 0) {
      return this.#staged([dw, x, dy], (dw, x, dy) => this.addXtY(dw, dwo, x, xo, dy, dyo, m, k, n));
    }
    // One column of weights is one row of its transpose.
    if (n === 1) this.#exports.gemm(c, c, 0, b, 0, 4, a, 1, m, k);
    else this.#exports.gemm(c, c, 4 * n, a, 4, 4 * k, b, k, m, n);
  };

  readonly affine: Kernels["affine"] = (y, yo, b, bo, x, xo, w, wo, m, k, n, step = 0) => {
    if (!(step >= 0)) throw new RangeError(`Cannot take rows of a bias ${step} floats apart`);
    const c = this.#at(y, yo, m * n), s = this.#at(b, bo, (m - 1) * step + n);
    const a = this.#at(x, xo, m * k), p = this.#at(w, wo, k * n);
    if (c === 0 || s === 0 || a === 0 || p === 0) {
      return this.#staged(
        [y, b, x, w],
        (y, b, x, w) => this.affine(y, yo, b, bo, x, xo, w, wo, m, k, n, step),
      );
    }
    if (n === 1) {
      for (let i = 0; i < m; i++) y[yo + i] = b[bo + i * step]!;
      this.#exports.dot(c, a, p, m, 1, k);
    } else {
      this.#exports.gemm(c, s, 4 * step, a, 4 * k, 4, p, m, k, n);
    }
  };

  clear(array: Float32Array): Float32Array {
    const at = this.#at(array, 0, array.length);
    if (at === 0) return array.fill(0);
    this.#exports.clear(at, array.length);
    return array;
  }

  readonly addRowSum: Kernels["addRowSum"] = (db, dbo, dy, dyo, m, n) => {
    const c = this.#at(db, dbo, n), a = this.#at(dy, dyo, m * n);
    if (c === 0 || a === 0) {
      return this.#staged([db, dy], (db, dy) => this.addRowSum(db, dbo, dy, dyo, m, n));
    }
    this.#exports.addRowSum(c, a, m, n);
  };

  readonly addRows: Kernels["addRows"] = (y, x, scale, m, n) => {
    const to = this.#at(y, 0, m * n), from = this.#at(x, 0, n);
    if (to === 0 || from === 0) return this.#staged([y, x], (y, x) => this.addRows(y, x, scale, m, n));
    this.#exports.addRows(to, from, scale, m, n);
  };

  readonly prelu: Kernels["prelu"] = (f, s, alpha, ao, m, n) => {
    const to = this.#at(f, 0, m * n), from = this.#at(s, 0, m * n), slope = this.#at(alpha, ao, n);
    if (to === 0 || from === 0 || slope === 0) {
      return this.#staged([f, s, alpha], (f, s, alpha) => this.prelu(f, s, alpha, ao, m, n));
    }
    this.#exports.prelu(to, from, slope, m, n);
  };

  readonly preluBackward: Kernels["preluBackward"] = (df, s, alpha, dalpha, ao, m, n) => {
    const to = this.#at(df, 0, m * n), from = this.#at(s, 0, m * n);
    const slope = this.#at(alpha, ao, n), into = this.#at(dalpha, ao, n);
    if (to === 0 || from === 0 || slope === 0 || into === 0) {
      return this.#staged(
        [df, s, alpha, dalpha],
        (df, s, alpha, dalpha) => this.preluBackward(df, s, alpha, dalpha, ao, m, n),
      );
    }
    this.#exports.preluBackward(to, from, slope, into, m, n);
  };

  sigmoid(y: Float32Array, x: Float32Array): void {
    const to = this.#at(y, 0, y.length), from = this.#at(x, 0, y.length);
    if (to === 0 || from === 0) return this.#staged([y, x], (y, x) => this.sigmoid(y, x));
    this.#exports.sigmoid(to, from, y.length);
  }

  tanh(y: Float32Array, x: Float32Array): void {
    const to = this.#at(y, 0, y.length), from = this.#at(x, 0, y.length);
    if (to === 0 || from === 0) return this.#staged([y, x], (y, x) => this.tanh(y, x));
    this.#exports.tanh(to, from, y.length);
  }

  sigmoidBackward(ds: Float32Array, f: Float32Array): void {
    const to = this.#at(ds, 0, ds.length), from = this.#at(f, 0, ds.length);
    if (to === 0 || from === 0) return this.#staged([ds, f], (ds, f) => this.sigmoidBackward(ds, f));
    this.#exports.sigmoidBackward(to, from, ds.length);
  }

  readonly mixRows: Kernels["mixRows"] = (y, a, b, bo, q, qo, m, n) => {
    const to = this.#at(y, 0, m * n), first = this.#at(a, 0, m * n);
    const second = this.#at(b, bo, m * n), by = this.#at(q, qo, m);
    if (to === 0 || first === 0 || second === 0 || by === 0) {
      return this.#staged([y, a, b, q], (y, a, b, q) => this.mixRows(y, a, b, bo, q, qo, m, n));
    }
    this.#exports.mixRows(to, first, second, by, m, n);
  };

  readonly mixRowsBackward: Kernels["mixRowsBackward"] = (db, dq, dy, b, bo, q, qo, m, n) => {
    const into = this.#at(db, bo, m * n), dby = this.#at(dq, qo, m), from = this.#at(dy, 0, m * n);
    const second = this.#at(b, bo, m * n), by = this.#at(q, qo, m);
    if (into === 0 || dby === 0 || from === 0 || second === 0 || by === 0) {
      return this.#staged(
        [db, dq, dy, b, q],
        (db, dq, dy, b, q) => this.mixRowsBackward(db, dq, dy, b, bo, q, qo, m, n),
      );
    }
    this.#exports.mixRowsBackward(into, dby, from, second, by, m, n);
  };

  /** Forms that scale the input or reset before the product are for comparison only, and run in plain TypeScript. */
  gruForward(steps: GruSteps): void {
    const { gate, T, K, H, keep, xw, attention, values, u, b, states, gates, products } = steps;
    if (!compiled(steps)) return PLAIN.gruForward(steps);
    const kept = keep ? T : 1, slice = K * H;
    const x = this.#at(xw, 0, T * 3 * H), a = attention.length > 0 ? this.#at(attention, 0, K * T) : NONE;
    const s = this.#at(states, 0, (kept + 1) * slice), g = this.#at(gates, 0, kept * 3 * slice);
    const p = this.#at(products, 0, kept * slice), w = this.#at(values, u, 3 * H * H);
    if (x === 0 || a === 0 || s === 0 || g === 0 || p === 0 || w === 0) {
      return this.#staged(
        [xw, attention, values, states, gates, products],
        (xw, attention, values, states, gates, products) =>
          this.gruForward({ ...steps, xw, attention, values, states, gates, products }),
      );
    }
    const bias = this.#at(values, b, 3 * H), work = this.#working(3 * H);
    const { alpha1, beta0, beta1 } = gate, weigh = a === NONE ? 0 : a;
    this.#exports.gruForward(T, K, H, Number(keep), x, w, bias, weigh, s, g, p, work, alpha1, beta0, beta1);
  }

  gruBackward(steps: GruBackSteps): void {
    const { gate, T, K, H, attention, values, u, b, states, gates, products } = steps;
    const { dstate, dstates, dxw, dattention, back, gradients } = steps;
    if (!compiled(steps)) return PLAIN.gruBackward(steps);
    const own = [
      attention,
      values,
      states,
      gates,
      products,
      dstate,
      dstates,
      dxw,
      dattention,
      back,
      gradients,
    ] as const;
    if (!own.every((array) => array.length === 0 || this.#owns(array))) {
      return this.#staged(own, (attention, values, states, gates, products, ...into) => {
        const [dstate, dstates, dxw, dattention, back, gradients] = into;
        const forward = { ...steps, attention, values, states, gates, products };
        this.gruBackward({ ...forward, dstate, dstates, dxw, dattention, back, gradients });
      });
    }
    const slice = K * H;
    this.#exports.gruBackward(
      T,
      K,
      H,
      this.#at(values, u, 3 * H * H),
      attention.length > 0 ? this.#at(attention, 0, K * T) : 0,
      this.#at(states, 0, (T + 1) * slice),
      this.#at(gates, 0, T * 3 * slice),
      this.#at(products, 0, T * slice),
      this.#at(dstate, 0, slice),
      dstates.length > 0 ? this.#at(dstates, 0, T * slice) : 0,
      this.#at(dxw, 0, T * 3 * H),
      this.#at(dattention, 0, K * T),
      this.#at(back, 0, T * 3 * slice),
      this.#working(3 * H * H),
      this.#at(gradients, u, 3 * H * H),
      this.#at(gradients, b, 3 * H),
      gate.alpha1,
      gate.beta0,
      gate.beta1,
    );
  }

  /** The address of `length` floats of working memory. */
  #working(length: number): number {
    if (this.#work.length < length) this.#work = this.floats(length);
    return this.#work.byteOffset;
  }

  /**
   * The address of `length` elements; 0 when the array is not in this memory. Everything that a call reads or writes is
   * checked here, so it stays in bounds where the runtime does not check (see docs/decisions/0023).
   *
   * @throws RangeError when the array does not have these elements
   */
  #at(array: Float32Array, offset: number, length: number): number {
    if (!(offset >= 0 && length >= 0 && offset + length <= array.length)) {
      throw new RangeError(`Cannot take ${length} floats at offset ${offset}: the array has ${array.length}`);
    }
    return this.#owns(array) ? array.byteOffset + 4 * offset : 0;
  }

  #owns({ buffer }: Float32Array): boolean {
    return buffer === this.#first || this.#grown.length > 0 && this.#grown.includes(buffer);
  }

  /** Calls with copies of the arrays from outside this memory, and copies them back. */
  #staged<T extends readonly Float32Array[]>(arrays: readonly [...T], call: (...own: T) => void): void {
    const foreign = arrays.filter((array) => !this.#owns(array));
    const length = foreign.reduce((sum, array) => sum + padded(array), 0);
    if (this.#stage.length < length) this.#stage = this.floats(2 * length);
    let at = 0;
    const copies = new Map<Float32Array, Float32Array>();
    for (const array of foreign) {
      if (copies.has(array)) continue;
      const copy = this.#stage.subarray(at, at + array.length);
      copy.set(array);
      copies.set(array, copy);
      at += padded(array);
    }
    // Copies stand for arrays of the same type.
    call(...arrays.map((array) => copies.get(array) ?? array) as unknown as T);
    for (const [array, copy] of copies) array.set(copy);
  }
}

function padded(array: Float32Array): number {
  return array.length + ALIGNMENT / 4;
}

function compiled({ gate }: GruSteps): boolean {
  return !gate.before && !gate.scaled && gate.alpha0 === 0;
}
