/**
 * Learns an {@linkcode EmaBank} online: given what a user did before, which item came next?
 *
 * Several steps are learnt together, against the same drawn items, which are looked up once for all of them. A step
 * costs O(T d + K d + d²): T behaviours, K drawn items, d the width of vectors.
 */

import { ByteReader } from "../../codec/byte_reader.ts";
import { ByteWriter } from "../../codec/byte_writer.ts";
import { mulberry32 } from "../../draws/random.ts";
import { EmbeddingTable } from "../../embeddings/table.ts";
import { BANK_BEHAVIOURS, BANK_TABLES, BANK_WIDTH } from "../../bank/bank_tables.ts";
import { type BankInput, EmaBank } from "../../bank/ema_bank.ts";
import type { Kernels } from "../../nn/kernels/kernels.ts";
import type { SampleHistory } from "../../samples/sample.ts";
import { Adagrad } from "../../nn/optimisers/adagrad.ts";
import { DrawnItems } from "./drawn_items.ts";

export interface BankLearnerOptions {
  /** Width d of all vectors. */
  readonly width: number;
  /** Drawn items K. */
  readonly drawn: number;
  /** Behaviours T that a step reads, at most. */
  readonly behaviours: number;
  /** Steps B that are learnt together, at most, against the same drawn items. */
  readonly together: number;
  readonly tableBytes: number;
  readonly seed: number;
}

/** An item that came next, with the history before it. */
export interface NextItem {
  /** What the user did before. */
  readonly before: Pick<SampleHistory, "items" | "strengths" | "times">;
  readonly item: string;
  /** Event time of the item, milliseconds since the epoch. */
  readonly time: number;
}

/** Result of learning some steps. */
export interface BankLearnt {
  /** Σ of the losses of the steps, nats; 0 while there are too few items to draw from. */
  readonly loss: number;
  /** Whether every weight that changed is within bounds. */
  readonly isSound: boolean;
}

/** Sizes of the bank that a {@linkcode Learner} has. */
export const BANK_SIZES: Pick<BankLearnerOptions, "width" | "drawn" | "behaviours" | "together"> = {
  width: BANK_WIDTH,
  behaviours: BANK_BEHAVIOURS,
  drawn: 1024,
  together: 32,
};
const RATE = 0.1;
const DENSE_RATE = 0.05;
const VECTOR_SCALE = 0.1;
/** Number of newest items to draw from. */
const DRAWN_FROM = 65_536;

/** Learns several steps per call; same steps in the same calls, same weights, bit for bit. */
export class BankLearner {
  /** The dense part. */
  readonly bank: EmaBank;
  /** Tables by name, as in {@linkcode BANK_TABLES}. */
  readonly tables: ReadonlyMap<string, EmbeddingTable>;
  steps = 0;
  readonly #options: BankLearnerOptions;
  readonly #in: EmbeddingTable;
  readonly #out: EmbeddingTable;
  readonly #optimiser: Adagrad;
  readonly #gradients: Float32Array;
  readonly #drawn = new DrawnItems(DRAWN_FROM);
  readonly #e: Float32Array;
  readonly #outputs: Float32Array;
  readonly #logExpected: Float32Array;
  readonly #inRows: Uint32Array;
  readonly #outRows: Uint32Array;
  /** The encoding of the untrained learner. */
  readonly #initial: Uint8Array;

  /** Creates an untrained learner. */
  constructor(options: BankLearnerOptions, kernels: Kernels) {
    const { width: d, drawn: K, behaviours: T, together: B, tableBytes, seed } = options;
    this.#options = options;
    this.bank = new EmaBank(d, normals(seed), kernels);
    const table = (name: string, width: number) =>
      new EmbeddingTable({
        name,
        width,
        seed,
        learningRate: RATE,
        initScale: VECTOR_SCALE,
        maxBytes: tableBytes / 2,
      });
    this.#in = table(BANK_TABLES.in, d);
    this.#out = table(BANK_TABLES.out, d + 1);
    this.tables = new Map([this.#in, this.#out].map((table) => [table.name, table]));
    const size = this.bank.parameters.values.length;
    this.#optimiser = new Adagrad(size, { learningRate: DENSE_RATE });
    this.#gradients = kernels.floats(size);
    this.#e = new Float32Array(B * T * d);
    this.#outputs = kernels.floats((B + K) * (d + 1));
    this.#logExpected = new Float32Array(K);
    this.#inRows = new Uint32Array(B * T);
    this.#outRows = new Uint32Array(B + K);
    this.#initial = this.encoded();
  }

  /**
   * Learns steps, {@linkcode BankLearnerOptions.together} at a time; a gradient that is not finite changes no weight.
   *
   * @param largest bound of the magnitude of a weight
   */
  learn(nexts: readonly NextItem[], largest: number): BankLearnt {
    const { together } = this.#options;
    let loss = 0;
    let isSound = true;
    for (let from = 0; from < nexts.length; from += together) {
      const some = nexts.slice(from, from + together);
      if (this.#drawn.distinct >= 2) {
        loss += this.#learn(some);
        isSound = this.#step(largest) && isSound;
      }
      for (const { item } of some) this.#drawn.update(item);
      this.steps += some.length;
    }
    return { loss, isSound };
  }

  #step(largest: number): boolean {
    const { values } = this.bank.parameters;
    this.#optimiser.step(values, this.#gradients);
    this.#gradients.fill(0);
    let isSound = values.every((value) => Math.abs(value) <= largest);
    for (const table of this.tables.values()) isSound = table.step(largest) && isSound;
    return isSound;
  }

  /** Forgets everything that was learnt. */
  reset(): void {
    this.decode(new ByteReader(this.#initial));
  }

  /** Marks all rows as published, so the next delta leaves them out. */
  clearChanged(): void {
    for (const table of this.tables.values()) table.clearChanged();
  }

  /** Encodes all rows by table, or those changed since the last call, and marks them as published. */
  takeRows(kind: "delta" | "full"): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.tables].map(([name, table]) => [name, table.takeRows(kind)]));
  }

  /** Adds the gradients of some steps. @returns Σ of their losses, nats */
  #learn(nexts: readonly NextItem[]): number {
    const { width: d, behaviours: most, seed } = this.#options;
    const random = mulberry32((seed + Math.imul(this.steps, 0x9e3779b9)) >>> 0);
    const B = nexts.length, items = this.#outRows;
    const inputs = nexts.map(({ before: { items, strengths, times }, time }, b): BankInput => {
      const from = Math.max(0, items.length - most), T = items.length - from;
      const e = this.#e.subarray(b * most * d, (b * most + T) * d).fill(0);
      for (let t = 0; t < T; t++) {
        const row = this.#inRows[b * most + t] = this.#in.use(items[from + t]!, time);
        this.#in.addRow(row, 1, e, t * d);
      }
      return { T, e, strengths: strengths.slice(from), gapMs: T === 0 ? 0 : time - times[items.length - 1]! };
    });
    for (const [b, { item, time }] of nexts.entries()) this.#score(b, item, time);
    const drawn = this.#drawItems(random);
    const places = new Map(drawn.map(({ id }, k) => [id, k]));
    for (const [k, { id, logExpected }] of drawn.entries()) {
      this.#score(B + k, id, nexts[B - 1]!.time);
      this.#logExpected[k] = logExpected;
    }
    // Items that the user has just had are rarely wanted next, but resemble those that are, so they are not negatives.
    const leftOut = nexts.map(({ item, before }) =>
      [item, ...before.items.slice(-most)].flatMap((id) => places.get(id) ?? [])
    );
    const D = drawn.length;
    const out = this.#outputs.subarray(0, (B + D) * (d + 1));
    const got = this.bank.loss(
      { inputs, out, leftOut, logExpected: this.#logExpected.subarray(0, D) },
      this.#gradients,
    );
    for (let c = 0; c < B + D; c++) this.#out.accumulate(items[c]!, got.out, c * (d + 1));
    for (const [b, e] of got.e.entries()) {
      for (let t = 0; t < inputs[b]!.T; t++) this.#in.accumulate(this.#inRows[b * most + t]!, e, t * d);
    }
    return got.loss;
  }

  /**
   * Draws K items. An item that is drawn n times is kept once, with 1/n of its expected frequency, which is equivalent.
   */
  #drawItems(random: () => number): { readonly id: string; readonly logExpected: number }[] {
    const { drawn: K } = this.#options;
    const times = new Map<number, number>();
    for (let k = 0; k < K; k++) {
      const drawn = this.#drawn.draw(random);
      times.set(drawn, (times.get(drawn) ?? 0) + 1);
    }
    return Array.from(times, ([drawn, n]) => ({
      id: this.#drawn.id(drawn),
      logExpected: Math.log(K * this.#drawn.probability(drawn) / n),
    }));
  }

  /** Copies the output row of an item to place `c` of the items to be scored. */
  #score(c: number, item: string, time: number): void {
    const row = this.#outRows[c] = this.#out.use(item, time);
    this.#out.copyRow(row, this.#outputs, c * this.#out.width);
  }

  /** The whole state as bytes. */
  encoded(): Uint8Array {
    const to = new ByteWriter(1 << 16);
    this.encode(to);
    return to.toBytes();
  }

  /** Writes weights, optimisers and the items to draw from. */
  encode(to: ByteWriter): void {
    const { values } = this.bank.parameters;
    to.uint(this.steps).uint(values.length).f32s(values).bytes(this.#optimiser.encode());
    this.#drawn.encode(to);
    for (const table of this.tables.values()) to.bytes(table.encode());
  }

  /**
   * Reads what {@linkcode BankLearner.encode} wrote; it replaces the present state.
   *
   * @throws SyntaxError when it is of other sizes
   */
  decode(from: ByteReader): void {
    const { values } = this.bank.parameters;
    this.#gradients.fill(0);
    this.steps = from.uint();
    const size = from.uint();
    if (size !== values.length) {
      throw new SyntaxError(`Cannot decode a bank: it has ${size} dense weights, this one ${values.length}`);
    }
    values.set(from.f32s(size));
    this.#optimiser.decode(from.bytes());
    this.#drawn.decode(from);
    for (const table of this.tables.values()) table.decode(from.bytes());
  }
}

/** Normal draws of mean 0 and deviation 1. */
function normals(seed: number): () => number {
  const random = mulberry32(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
