/**
 * Tables of vectors and weights by key, as far as features are made of them.
 *
 * @module
 */

/** The rows of one field, as far as gathering needs it. */
export interface FieldTable {
  /** Floats a row. */
  readonly width: number;
  /** The row of a key: 0 = padding (zeros), 1 = not admitted. */
  rowOf(key: string): number;
  /**
   * Whether looking a key up changes nothing, and its row stays what it is until somebody says so, so that who needs it
   * again need not look. @default {false}
   */
  readonly isStill?: boolean;
  /** Adds `scale` times the row to `out[offset..offset+width)`. */
  addRow(row: number, scale: number, out: Float32Array, offset: number): void;
}

/** A field table that gradients can be given to. */
export interface TrainableTable extends FieldTable {
  /** Adds `scale` times `gradient[offset..offset+width)` to the gradient of the row. */
  accumulate(row: number, scale: number, gradient: Float32Array, offset: number): void;
}

const scalar = new Float32Array(1);

/** The value of a row of one float. */
export function valueAt(weights: FieldTable, row: number): number {
  scalar[0] = 0;
  weights.addRow(row, 1, scalar, 0);
  return scalar[0]!;
}

/** The value of the row of a key, of one float. */
export function weightOf(weights: FieldTable, key: string): number {
  return valueAt(weights, weights.rowOf(key));
}
