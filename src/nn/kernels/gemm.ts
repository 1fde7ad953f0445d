/**
 * The three matrix products of a dense layer: forward, gradient of its input, gradient of its weights.
 *
 * All arrays are row-major. A matrix is a flat array with the offset of its first element, because a view per call
 * would cost more than a small product. Every element is one sum in double precision, in the order of the inner
 * index, rounded once, whatever the tiling: rows computed together or one by one have the same bits. The 4×4 tiles
 * live in registers; V8 does not vectorise, and with 16 accumulators loads are no longer the bottleneck.
 *
 * @module
 */

// m rows, k inputs, n outputs

/** Forward: Y[m,n] += X[m,k] · W[k,n]. */
export function addXW(
  y: Float32Array,
  yo: number,
  x: Float32Array,
  xo: number,
  w: Float32Array,
  wo: number,
  m: number,
  k: number,
  n: number,
): void {
  const m4 = m & ~3;
  const n4 = n & ~3;
  for (let i = 0; i < m4; i += 4) {
    const x0 = xo + i * k, x1 = x0 + k, x2 = x1 + k, x3 = x2 + k;
    for (let j = 0; j < n4; j += 4) {
      const y0 = yo + i * n + j, y1 = y0 + n, y2 = y1 + n, y3 = y2 + n;
      let a0 = y[y0]!, a1 = y[y0 + 1]!, a2 = y[y0 + 2]!, a3 = y[y0 + 3]!;
      let b0 = y[y1]!, b1 = y[y1 + 1]!, b2 = y[y1 + 2]!, b3 = y[y1 + 3]!;
      let c0 = y[y2]!, c1 = y[y2 + 1]!, c2 = y[y2 + 2]!, c3 = y[y2 + 3]!;
      let d0 = y[y3]!, d1 = y[y3 + 1]!, d2 = y[y3 + 2]!, d3 = y[y3 + 3]!;
      for (let p = 0, o = wo + j; p < k; p++, o += n) {
        const a = x[x0 + p]!, b = x[x1 + p]!, c = x[x2 + p]!, d = x[x3 + p]!;
        let v = w[o]!;
        a0 += a * v, b0 += b * v, c0 += c * v, d0 += d * v;
        v = w[o + 1]!;
        a1 += a * v, b1 += b * v, c1 += c * v, d1 += d * v;
        v = w[o + 2]!;
        a2 += a * v, b2 += b * v, c2 += c * v, d2 += d * v;
        v = w[o + 3]!;
        a3 += a * v, b3 += b * v, c3 += c * v, d3 += d * v;
      }
      y[y0] = a0, y[y0 + 1] = a1, y[y0 + 2] = a2, y[y0 + 3] = a3;
      y[y1] = b0, y[y1 + 1] = b1, y[y1 + 2] = b2, y[y1 + 3] = b3;
      y[y2] = c0, y[y2 + 1] = c1, y[y2 + 2] = c2, y[y2 + 3] = c3;
      y[y3] = d0, y[y3 + 1] = d1, y[y3 + 2] = d2, y[y3 + 3] = d3;
    }
  }
  for (let i = m4; i < m; i++) {
    const x0 = xo + i * k;
    for (let j = 0; j < n4; j += 4) {
      const y0 = yo + i * n + j;
      let a0 = y[y0]!, a1 = y[y0 + 1]!, a2 = y[y0 + 2]!, a3 = y[y0 + 3]!;
      for (let p = 0, o = wo + j; p < k; p++, o += n) {
        const a = x[x0 + p]!;
        a0 += a * w[o]!, a1 += a * w[o + 1]!, a2 += a * w[o + 2]!, a3 += a * w[o + 3]!;
      }
      y[y0] = a0, y[y0 + 1] = a1, y[y0 + 2] = a2, y[y0 + 3] = a3;
    }
  }
  for (let j = n4; j < n; j++) {
    for (let i = 0; i < m; i++) {
      let sum = y[yo + i * n + j]!;
      for (let p = 0; p < k; p++) sum += x[xo + i * k + p]! * w[wo + p * n + j]!;
      y[yo + i * n + j] = sum;
    }
  }
}

/** Backward to the input: dX[m,k] += dY[m,n] · W[k,n]ᵀ. */
export function addYWt(
  dx: Float32Array,
  dxo: number,
  dy: Float32Array,
  dyo: number,
  w: Float32Array,
  wo: number,
  m: number,
  k: number,
  n: number,
): void {
  const m4 = m & ~3;
  const k4 = k & ~3;
  for (let i = 0; i < m4; i += 4) {
    const y0 = dyo + i * n, y1 = y0 + n, y2 = y1 + n, y3 = y2 + n;
    for (let p = 0; p < k4; p += 4) {
      const w0 = wo + p * n, w1 = w0 + n, w2 = w1 + n, w3 = w2 + n;
      const x0 = dxo + i * k + p, x1 = x0 + k, x2 = x1 + k, x3 = x2 + k;
      let a0 = dx[x0]!, a1 = dx[x0 + 1]!, a2 = dx[x0 + 2]!, a3 = dx[x0 + 3]!;
      let b0 = dx[x1]!, b1 = dx[x1 + 1]!, b2 = dx[x1 + 2]!, b3 = dx[x1 + 3]!;
      let c0 = dx[x2]!, c1 = dx[x2 + 1]!, c2 = dx[x2 + 2]!, c3 = dx[x2 + 3]!;
      let d0 = dx[x3]!, d1 = dx[x3 + 1]!, d2 = dx[x3 + 2]!, d3 = dx[x3 + 3]!;
      for (let j = 0; j < n; j++) {
        const a = dy[y0 + j]!, b = dy[y1 + j]!, c = dy[y2 + j]!, d = dy[y3 + j]!;
        let v = w[w0 + j]!;
        a0 += a * v, b0 += b * v, c0 += c * v, d0 += d * v;
        v = w[w1 + j]!;
        a1 += a * v, b1 += b * v, c1 += c * v, d1 += d * v;
        v = w[w2 + j]!;
        a2 += a * v, b2 += b * v, c2 += c * v, d2 += d * v;
        v = w[w3 + j]!;
        a3 += a * v, b3 += b * v, c3 += c * v, d3 += d * v;
      }
      dx[x0] = a0, dx[x0 + 1] = a1, dx[x0 + 2] = a2, dx[x0 + 3] = a3;
      dx[x1] = b0, dx[x1 + 1] = b1, dx[x1 + 2] = b2, dx[x1 + 3] = b3;
      dx[x2] = c0, dx[x2 + 1] = c1, dx[x2 + 2] = c2, dx[x2 + 3] = c3;
      dx[x3] = d0, dx[x3 + 1] = d1, dx[x3 + 2] = d2, dx[x3 + 3] = d3;
    }
  }
  for (let i = m4; i < m; i++) {
    const y0 = dyo + i * n;
    for (let p = 0; p < k4; p += 4) {
      const w0 = wo + p * n, w1 = w0 + n, w2 = w1 + n, w3 = w2 + n;
      const x0 = dxo + i * k + p;
      let a0 = dx[x0]!, a1 = dx[x0 + 1]!, a2 = dx[x0 + 2]!, a3 = dx[x0 + 3]!;
      for (let j = 0; j < n; j++) {
        const a = dy[y0 + j]!;
        a0 += a * w[w0 + j]!, a1 += a * w[w1 + j]!, a2 += a * w[w2 + j]!, a3 += a * w[w3 + j]!;
      }
      dx[x0] = a0, dx[x0 + 1] = a1, dx[x0 + 2] = a2, dx[x0 + 3] = a3;
    }
  }
  for (let p = k4; p < k; p++) {
    for (let i = 0; i < m; i++) {
      let sum = dx[dxo + i * k + p]!;
      for (let j = 0; j < n; j++) sum += dy[dyo + i * n + j]! * w[wo + p * n + j]!;
      dx[dxo + i * k + p] = sum;
    }
  }
}

/** Backward to the weights: dW[k,n] += X[m,k]ᵀ · dY[m,n]. */
export function addXtY(
  dw: Float32Array,
  dwo: number,
  x: Float32Array,
  xo: number,
  dy: Float32Array,
  dyo: number,
  m: number,
  k: number,
  n: number,
): void {
  const k4 = k & ~3;
  const n4 = n & ~3;
  for (let p = 0; p < k4; p += 4) {
    for (let j = 0; j < n4; j += 4) {
      const w0 = dwo + p * n + j, w1 = w0 + n, w2 = w1 + n, w3 = w2 + n;
      let a0 = dw[w0]!, a1 = dw[w0 + 1]!, a2 = dw[w0 + 2]!, a3 = dw[w0 + 3]!;
      let b0 = dw[w1]!, b1 = dw[w1 + 1]!, b2 = dw[w1 + 2]!, b3 = dw[w1 + 3]!;
      let c0 = dw[w2]!, c1 = dw[w2 + 1]!, c2 = dw[w2 + 2]!, c3 = dw[w2 + 3]!;
      let d0 = dw[w3]!, d1 = dw[w3 + 1]!, d2 = dw[w3 + 2]!, d3 = dw[w3 + 3]!;
      for (let i = 0, xi = xo + p, yi = dyo + j; i < m; i++, xi += k, yi += n) {
        const a = x[xi]!, b = x[xi + 1]!, c = x[xi + 2]!, d = x[xi + 3]!;
        let v = dy[yi]!;
        a0 += a * v, b0 += b * v, c0 += c * v, d0 += d * v;
        v = dy[yi + 1]!;
        a1 += a * v, b1 += b * v, c1 += c * v, d1 += d * v;
        v = dy[yi + 2]!;
        a2 += a * v, b2 += b * v, c2 += c * v, d2 += d * v;
        v = dy[yi + 3]!;
        a3 += a * v, b3 += b * v, c3 += c * v, d3 += d * v;
      }
      dw[w0] = a0, dw[w0 + 1] = a1, dw[w0 + 2] = a2, dw[w0 + 3] = a3;
      dw[w1] = b0, dw[w1 + 1] = b1, dw[w1 + 2] = b2, dw[w1 + 3] = b3;
      dw[w2] = c0, dw[w2 + 1] = c1, dw[w2 + 2] = c2, dw[w2 + 3] = c3;
      dw[w3] = d0, dw[w3 + 1] = d1, dw[w3 + 2] = d2, dw[w3 + 3] = d3;
    }
  }
  for (let p = 0; p < k; p++) {
    for (let j = p < k4 ? n4 : 0; j < n; j++) {
      let sum = dw[dwo + p * n + j]!;
      for (let i = 0; i < m; i++) sum += x[xo + i * k + p]! * dy[dyo + i * n + j]!;
      dw[dwo + p * n + j] = sum;
    }
  }
}

/** Writes the bias b[n] into each of the m rows of Y[m,n]. */
export function fillRows(
  y: Float32Array,
  yo: number,
  b: Float32Array,
  bo: number,
  m: number,
  n: number,
): void {
  for (let i = 0, o = yo; i < m; i++) {
    for (let j = 0; j < n; j++) y[o++] = b[bo + j]!;
  }
}

/** Backward of {@linkcode fillRows}: db[n] += the sum of the m rows of dY[m,n]. */
export function addRowSum(
  db: Float32Array,
  dbo: number,
  dy: Float32Array,
  dyo: number,
  m: number,
  n: number,
): void {
  for (let j = 0; j < n; j++) {
    let sum = db[dbo + j]!;
    for (let i = 0, o = dyo + j; i < m; i++, o += n) sum += dy[o]!;
    db[dbo + j] = sum;
  }
}
