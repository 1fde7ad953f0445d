import assert from "node:assert/strict";
import fc from "fast-check";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import type { Kernels } from "../../../src/nn/kernels/kernels.ts";
import { PLAIN } from "../../../src/nn/kernels/plain.ts";
import { SimdKernels } from "../../../src/nn/kernels/simd.ts";
import { binaryFile } from "../../../scripts/generate/kernels.ts";
import { assertClose } from "../../golden_vectors.ts";
import { overKernels } from "./all_kernels.ts";
import { floats } from "./gradient_check.ts";

/** A copy in the memory of the kernels, followed by NaN in place of whatever may be there. */
function own(kernels: Kernels, values: Float32Array): Float32Array {
  const array = kernels.floats(values.length + 4).fill(NaN).subarray(0, values.length);
  array.set(values);
  return array;
}

/** Every tile of a row, the one of 36 columns too. */
const width = fc.oneof(fc.integer({ min: 1, max: 45 }), fc.constantFrom(36, 64, 72, 108));
const offset = fc.nat(3);

/** Products of m rows by their names. */
const PRODUCTS = ["addXW", "addYWt", "addXtY"] as const;

/** The shapes of what each product adds to and reads. */
function shapes(name: (typeof PRODUCTS)[number], m: number, k: number, n: number): [number, number, number] {
  return ({
    addXW: [m * n, m * k, k * n],
    addYWt: [m * k, m * n, k * n],
    addXtY: [k * n, m * k, m * n],
  } as const)[
    name
  ].map(Number) as [number, number, number];
}

overKernels(
  "products equal the plain ones to 1e-5 for every shape, and write nothing outside the result",
  (kernels) => {
    fc.assert(
      fc.property(fc.constantFrom(...PRODUCTS), width, width, width, offset, (name, m, k, n, o) => {
        const [c, a, b] = shapes(name, m, k, n).map((size, i) => floats(size + o, i + 1));
        const want = c!.slice();
        PLAIN[name](want, o, a!, o, b!, o, m, k, n);
        const behind = kernels.floats(c!.length + 8).fill(7);
        const got = behind.subarray(0, c!.length);
        got.set(c!);
        kernels[name](got, o, own(kernels, a!), o, own(kernels, b!), o, m, k, n);
        assertClose(got, want, 1e-5, name);
        assert.deepEqual(got.slice(0, o), c!.slice(0, o));
        assert.ok(behind.subarray(c!.length).every((x) => x === 7), "behind the result");
      }),
      { numRuns: 150 },
    );
  },
);

overKernels("rows together equal rows one by one, bit for bit", (kernels) => {
  fc.assert(
    fc.property(width, width, width, (m, k, n) => {
      const [x, w, y, b] = [floats(m * k, 1), floats(k * n, 2), floats(m * n, 3), floats(n, 4)]
        .map((values) => own(kernels, values));
      const together = { addXW: y!.slice(), addYWt: x!.slice(), affine: y!.slice() };
      kernels.addXW(together.addXW, 0, x!, 0, w!, 0, m, k, n);
      kernels.addYWt(together.addYWt, 0, y!, 0, w!, 0, m, k, n);
      kernels.affine(together.affine, 0, b!, 0, x!, 0, w!, 0, m, k, n);
      const alone = { addXW: y!.slice(), addYWt: x!.slice(), affine: y!.slice() };
      for (let i = 0; i < m; i++) {
        kernels.addXW(alone.addXW, i * n, x!, i * k, w!, 0, 1, k, n);
        kernels.addYWt(alone.addYWt, i * k, y!, i * n, w!, 0, 1, k, n);
        kernels.affine(alone.affine, i * n, b!, 0, x!, i * k, w!, 0, 1, k, n);
      }
      assert.deepEqual(together, alone);
      const filled = new Float32Array(m * n).map((_, o) => b![o % n]!);
      kernels.addXW(filled, 0, x!, 0, w!, 0, m, k, n);
      assert.deepEqual(together.affine, filled);
    }),
    { numRuns: 100 },
  );
});

overKernels("a product over a long inner dimension equals the plain one", (kernels) => {
  const [m, k, n] = [6, 1000, 10];
  const x = floats(m * k, 1), w = floats(k * n, 3);
  const want = new Float32Array(m * n), got = kernels.floats(m * n);
  PLAIN.addXW(want, 0, x, 0, w, 0, m, k, n);
  kernels.addXW(got, 0, own(kernels, x), 0, own(kernels, w), 0, m, k, n);
  assertClose(got, want, 1e-4, "addXW");
  const dw = own(kernels, floats(m * n, 4)), expected = dw.slice();
  PLAIN.addXtY(expected, 0, w.subarray(0, k * m), 0, w, 0, k, m, n);
  kernels.addXtY(dw, 0, own(kernels, w.subarray(0, k * m)), 0, own(kernels, w), 0, k, m, n);
  assertClose(dw, expected, 1e-4, "addXtY");
});

overKernels("operations on rows equal the plain ones to 1e-5", (kernels) => {
  fc.assert(
    fc.property(width, width, (m, n) => {
      const both = (
        run: (k: Kernels, take: (size: number, seed: number) => Float32Array) => Float32Array[],
      ) => {
        const want = run(PLAIN, floats);
        run(kernels, (size, seed) => own(kernels, floats(size, seed))).forEach((got, i) =>
          assertClose(got, want[i]!, 1e-5, String(run))
        );
      };
      both((k, take) => {
        const db = take(n, 1);
        k.addRowSum(db, 0, take(m * n, 2), 0, m, n);
        return [db];
      });
      both((k, take) => {
        const y = take(m * n, 1);
        k.addRows(y, take(n, 2), 0.3, m, n);
        return [y];
      });
      both((k, take) => {
        const f = take(m * n, 1);
        k.prelu(f, take(m * n, 2), take(n + 1, 3), 1, m, n);
        return [f];
      });
      both((k, take) => {
        const df = take(m * n, 1), dalpha = take(n + 1, 4);
        k.preluBackward(df, take(m * n, 2), take(n + 1, 3), dalpha, 1, m, n);
        return [df, dalpha];
      });
      both((k, take) => {
        const ds = take(m * n, 1);
        k.sigmoidBackward(ds, take(m * n, 2));
        return [ds];
      });
      both((k, take) => {
        const y = take(m * n, 1);
        k.mixRows(y, take(m * n, 2), take(m * n + 2, 3), 2, take(m + 1, 4), 1, m, n);
        return [y];
      });
      both((k, take) => {
        const db = take(m * n + 2, 1), dq = take(m + 1, 2);
        k.mixRowsBackward(db, dq, take(m * n, 3), take(m * n + 2, 4), 2, take(m + 1, 5), 1, m, n);
        return [db, dq];
      });
    }),
    { numRuns: 60 },
  );
});

/** Every 997th float there is, of both signs, and the special ones. */
function* allFloats(): Generator<Float32Array> {
  const size = 1 << 16;
  const bits = new Uint32Array(size), batch = new Float32Array(bits.buffer);
  let at = 0;
  for (let pattern = 0; pattern <= 0xff800000; pattern += 997) {
    if ((pattern & 0x7f800000) === 0x7f800000) continue;
    bits[at++] = pattern;
    if (at < size) continue;
    yield batch;
    at = 0;
  }
  yield Float32Array.of(0, -0, 88, -88, 1e-40, -1e-40, 3.4e38, -3.4e38, Infinity, -Infinity);
}

overKernels(
  "sigmoid() and tanh() are within 2e-7 over the whole range of floats, and exact at 0",
  (kernels) => {
    const worst = { sigmoid: 0, tanh: 0 };
    for (const x of allFloats()) {
      const from = own(kernels, x), y = own(kernels, x);
      for (const name of ["sigmoid", "tanh"] as const) {
        kernels[name](y, from);
        for (let i = 0; i < x.length; i++) {
          const v = x[i]!;
          const error = Math.abs(y[i]! - (name === "tanh" ? Math.tanh(v) : 1 / (1 + Math.exp(-v))));
          if (v === 0) assert.equal(error, 0);
          if (!(error <= worst[name])) worst[name] = error;
        }
      }
    }
    assert.ok(worst.sigmoid < 2e-7 && worst.tanh < 2e-7, JSON.stringify(worst));
    const nan = own(kernels, Float32Array.of(NaN));
    for (const name of ["sigmoid", "tanh"] as const) {
      kernels[name](nan, nan);
      assert.ok(Number.isNaN(nan[0]), name);
    }
  },
);

overKernels("arrays outside its memory give the same bits as its own", (kernels) => {
  const [m, k, n] = [5, 7, 6];
  const x = floats(m * k, 1), w = floats(k * n, 2), y = floats(m * n, 3);
  const mine = own(kernels, y);
  kernels.addXW(mine, 0, own(kernels, x), 0, own(kernels, w), 0, m, k, n);
  for (const array of [y.slice(), own(kernels, y)]) {
    kernels.addXW(array, 0, x, 0, w, 0, m, k, n);
    assert.deepEqual(array, mine);
  }
  assert.deepEqual([x, w], [floats(m * k, 1), floats(k * n, 2)]);
});

Deno.test("SimdKernels.floats() refuses to exceed its memory, and says how much is in use", () => {
  const kernels = new SimdKernels("simd");
  assert.throws(() => kernels.floats(1 << 28), {
    name: "RangeError",
    message:
      /^Cannot allocate 268435456 floats in the kernels' memory: \d+ of its 1073741824 bytes are in use/,
  });
  assert.equal(kernels.floats(3).length, 3);
});

Deno.test("SimdKernels.floats() grows the memory, in which earlier arrays stay valid", () => {
  const kernels = new SimdKernels("simd");
  const [m, k, n] = [5, 7, 6];
  const x = floats(m * k, 1), w = floats(k * n, 2);
  const expected = kernels.floats(m * n);
  kernels.addXW(expected, 0, x, 0, w, 0, m, k, n);
  const before = own(kernels, x);
  for (const grown of [6 << 20, 20 << 20]) {
    const large = kernels.floats(grown);
    const after = own(kernels, w), y = kernels.floats(m * n);
    kernels.addXW(y, 0, before, 0, after, 0, m, k, n);
    assert.deepEqual(y, expected);
    assert.deepEqual([large.length, large.at(-1), before], [grown, 0, x]);
  }
});

Deno.test("SimdKernels report to V8 only the memory that they use, so that garbage is collected as usual", async () => {
  const module = new URL("../../../src/nn/kernels/simd.ts", import.meta.url);
  const code = `import { SimdKernels } from ${JSON.stringify(module.href)};
    globalThis.kept = new SimdKernels("simd").floats(1000); gc();`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc,--trace-gc-verbose", code],
  }).output();
  const sizes = new TextDecoder().decode(stdout).matchAll(/External memory reported: +(\d+) KB/g);
  const last = Number([...sizes].at(-1)?.[1]);
  assert.ok(last >= 16 << 10 && last < 24 << 10, `${last} KB`);
});

Deno.test("createKernels() gives each model its own memory", () => {
  const [a, b] = [createKernels("simd").floats(4), createKernels("simd").floats(4)];
  a.fill(1);
  assert.deepEqual(b, new Float32Array(4));
});

Deno.test("src/nn/kernels/binary.ts is what src/nn/kernels/assembly compiles to, byte for byte", async () => {
  const found = await Deno.readTextFile(new URL("../../../src/nn/kernels/binary.ts", import.meta.url));
  assert.ok(found === await binaryFile(), "not up to date: run `deno task kernels`");
});
