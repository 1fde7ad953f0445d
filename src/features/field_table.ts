/**
 * Tables of vectors and weights by key: the interface that building features needs.
 *
 * @module
 */

/** Width of the embedding of a small field (an attribute, the hour). */
export const SMALL_WIDTH = 4;

/** The rows of one field, as the forward pass reads them. */
export interface FieldTable {
  readonly width: number;
  /** The row of a key: 0 = padding (zeros), 1 = not admitted. */
  rowOf(key: string): number;
  /**
   * Whether look-ups change nothing, and a key's row stays the same until `Assembler.forget` is called, so that rows
   * may be cached. @default {false}
   */
  readonly isStill?: boolean;
  /**
   * Counts another use of a row (above 1) that an earlier look-up returned, without looking its key up again. @default
   * {rows are not cached: each use looks its key up}
   */
  again?(row: number): void;
  /**
   * Number of rows taken from their keys so far: while it is unchanged, a cached row above 1 still belongs to its key.
   * Present in tables with `again`.
   */
  readonly removals?: number;
  /** Adds `scale` times the row to `out[offset..offset+width)`. */
  addRow(row: number, scale: number, out: Float32Array, offset: number): void;
}

/** A field table that accumulates gradients. */
export interface TrainableTable extends FieldTable {
  /** Adds `scale` times `gradient[offset..offset+width)` to the gradient of the row. */
  accumulate(row: number, scale: number, gradient: Float32Array, offset: number): void;
}

/** The vectors of a field, and its first-order weights. */
export interface FieldPair<Table> {
  readonly vectors: Table;
  readonly first: Table;
}

const scalar = new Float32Array(1);

/** The value of a row of one float. */
export function valueAt(weights: FieldTable, row: number): number {
  scalar[0] = 0;
  weights.addRow(row, 1, scalar, 0);
  return scalar[0]!;
}

/** The value of a key's row of one float. */
export function weightOf(weights: FieldTable, key: string): number {
  return valueAt(weights, weights.rowOf(key));
}

/** Adds a gradient to a row of one float. */
export function giveAt(weights: TrainableTable, row: number, gradient: number): void {
  scalar[0] = gradient;
  weights.accumulate(row, 1, scalar, 0);
}

/** Adds a gradient to a key's row of one float. */
export function giveWeight(weights: TrainableTable, key: string, gradient: number): void {
  giveAt(weights, weights.rowOf(key), gradient);
}

/** Adds the vector of a field's value to `out` from `offset` on. @returns its first-order weight; 0 for no value */
export function addField(
  { vectors, first }: FieldPair<FieldTable>,
  value: string | null | undefined,
  out: Float32Array,
  offset: number,
): number {
  if (value === null || value === undefined) return 0;
  vectors.addRow(vectors.rowOf(value), 1, out, offset);
  return weightOf(first, value);
}

/** The backward pass of {@linkcode addField}. @param dz gradient of the logit */
export function giveField(
  { vectors, first }: FieldPair<TrainableTable>,
  value: string | null | undefined,
  gradient: Float32Array,
  offset: number,
  dz: number,
): void {
  if (value === null || value === undefined) return;
  vectors.accumulate(vectors.rowOf(value), 1, gradient, offset);
  giveWeight(first, value, dz);
}
