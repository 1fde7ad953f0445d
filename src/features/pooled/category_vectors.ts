/**
 * Vectors of categories: those that the same people turn to point the same way. Counts know only what was together;
 * vectors also know what was together with the same third, and most pairs of categories are never counted.
 *
 * A behaviour of category b, after m behaviours of categories a, none of which is b:
 *
 * ```text
 *   h = Σ v_a / √m        loss = −ln exp⟨h, v_b⟩ / (exp⟨h, v_b⟩ + Σ_k exp⟨h, v_k⟩)        K categories k of newest behaviours
 * ```
 *
 * Because the others are drawn as often as they occur, ⟨h, v_b⟩ estimates by how much more often b comes after these
 * behaviours than overall, up to a constant (sampled softmax; "Item2Vec", Barkan and Koenigstein 2016, with one vector
 * for both roles). Row-wise Adagrad over the newest steps of a vector, so that it follows a taste that changes as fast on
 * an old stream as on a young one; O(K d) per behaviour, O(d) per candidate.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { fillNormal, mix } from "../../embeddings/hash.ts";

/** Width d of a vector. */
const WIDTH = 16;
/** Categories K that are drawn per behaviour. */
const DRAWN = 20;
const RATE = 0.2;
const SCALE = 0.1;
const START_SQUARES = 0.1;
/** Steps of a vector after which its squared gradients count half; all of them would slow it down as a stream grows old. */
const HALVED_AFTER = 8000;
const KEPT = 2 ** (-1 / HALVED_AFTER);
/** Most behaviours to draw from. */
const NEWEST = 4096;
/** A vector, its squares, its name, and the category of one behaviour to draw from. */
const ENTRY_BYTES = 4 * (WIDTH + 3);
const MIN_ENTRIES = 16;

/** One vector per category, which is a hash of its name, within a budget of bytes: the oldest makes room for a new one. */
export class CategoryVectors {
  readonly #capacity: number;
  readonly #places = new Map<number, number>();
  #names = new Uint32Array(MIN_ENTRIES);
  #vectors = new Float32Array(MIN_ENTRIES * WIDTH);
  #squares = new Float32Array(MIN_ENTRIES);
  /** Places of the categories of the newest behaviours, in a ring. */
  readonly #newest: Uint32Array;
  /** Numbers of categories added, and of behaviours with one. */
  #added = 0;
  #behaviours = 0;
  /** Scratch: places of the distinct categories of a context, and how many behaviours have each. */
  readonly #context: Uint32Array;
  readonly #shares: Float64Array;
  #size = 0;
  /** Scratch: h, ∂loss/∂h, places of the drawn and their exponentials. */
  readonly #h = new Float64Array(WIDTH);
  readonly #dh = new Float64Array(WIDTH);
  readonly #drawn = new Uint32Array(DRAWN + 1);
  readonly #odds = new Float64Array(DRAWN + 1);

  /** Starts without categories. @param budget Most bytes @param behaviours Most behaviours of a context */
  constructor(budget: number, behaviours: number) {
    this.#capacity = Math.max(MIN_ENTRIES, Math.floor(budget / ENTRY_BYTES));
    this.#newest = new Uint32Array(Math.min(NEWEST, this.#capacity));
    this.#context = new Uint32Array(behaviours);
    this.#shares = new Float64Array(behaviours);
  }

  get bytes(): number {
    return 4 * (this.#newest.length + this.#names.length * (WIDTH + 2));
  }

  /** Begins a context without behaviours. */
  clear(): void {
    this.#size = 0;
  }

  /** Adds a behaviour to the context; 0 = without a category. */
  add(category: number): void {
    const place = this.#places.get(category);
    if (place === undefined) return;
    let k = 0;
    while (k < this.#size && this.#context[k] !== place) k++;
    if (k === this.#size) {
      this.#context[this.#size++] = place;
      this.#shares[k] = 0;
    }
    this.#shares[k]!++;
  }

  /** Prepares affinities to the context: h is `scale` times the sum of its vectors. */
  prepare(scale: number): void {
    const h = this.#h.fill(0), vectors = this.#vectors;
    for (let k = 0; k < this.#size; k++) {
      const share = this.#shares[k] = this.#shares[k]! * scale;
      const at = WIDTH * this.#context[k]!;
      for (let j = 0; j < WIDTH; j++) h[j] = h[j]! + share * vectors[at + j]!;
    }
  }

  /** ⟨h, v⟩ of a category; 0 if it has no vector. */
  affinity(category: number): number {
    const place = this.#places.get(category);
    return place === undefined ? 0 : this.#product(place);
  }

  /**
   * Learns that a category follows the context, and forgets the context.
   *
   * @param scale 1/√m
   */
  learn(category: number, scale: number): void {
    const place = this.#places.get(category) ?? this.#make(category);
    if (this.#size > 0 && !this.#has(place)) {
      this.prepare(scale);
      this.#step(place);
    }
    this.#newest[this.#behaviours++ % this.#newest.length] = place;
    this.clear();
  }

  /** A copy of what is written. */
  clone(): CategoryVectors {
    const clone = new CategoryVectors(this.#capacity * ENTRY_BYTES, 0);
    clone.#names = this.#names.slice();
    clone.#vectors = this.#vectors.slice();
    clone.#squares = this.#squares.slice();
    clone.#newest.set(this.#newest);
    clone.#added = this.#added;
    clone.#behaviours = this.#behaviours;
    return clone;
  }

  /** Writes everything: same behaviours, same bytes. */
  encode(to: ByteWriter): void {
    const size = Math.min(this.#added, this.#capacity);
    to.uint(this.#added).uint(this.#behaviours);
    for (let place = 0; place < size; place++) to.uint(this.#names[place]!);
    to.f32s(this.#vectors, 0, size * WIDTH).f32s(this.#squares, 0, size);
    const kept = Math.min(this.#behaviours, this.#newest.length);
    for (let n = 0; n < kept; n++) to.uint(this.#newest[n]!);
  }

  /** Reads bytes of {@linkcode CategoryVectors.encode}, written within the same budget. @throws SyntaxError */
  decode(from: ByteReader): void {
    this.#added = from.uint();
    this.#behaviours = from.uint();
    const size = Math.min(this.#added, this.#capacity);
    this.#makeRoom(size);
    this.#places.clear();
    for (let place = 0; place < size; place++) {
      this.#places.set(this.#names[place] = from.uint(), place);
    }
    from.f32sInto(this.#vectors, 0, size * WIDTH);
    from.f32sInto(this.#squares, 0, size);
    const kept = Math.min(this.#behaviours, this.#newest.length);
    for (let n = 0; n < kept; n++) {
      const place = this.#newest[n] = from.uint();
      if (place >= size) {
        throw new SyntaxError(`Cannot decode category ${place} of vectors: there are ${size}`);
      }
    }
  }

  #has(place: number): boolean {
    for (let k = 0; k < this.#size; k++) if (this.#context[k] === place) return true;
    return false;
  }

  #product(place: number): number {
    const h = this.#h, vectors = this.#vectors, at = WIDTH * place;
    let sum = 0;
    for (let j = 0; j < WIDTH; j++) sum += h[j]! * vectors[at + j]!;
    return sum;
  }

  /** One step of the loss, with the category at a place as the one that came. */
  #step(place: number): void {
    const drawn = this.#drawn, odds = this.#odds;
    let size = this.#draw(place);
    drawn[size++] = place;
    let most = -Infinity, total = 0;
    for (let k = 0; k < size; k++) most = Math.max(most, odds[k] = this.#product(drawn[k]!));
    for (let k = 0; k < size; k++) total += odds[k] = Math.exp(odds[k]! - most);
    const h = this.#h, dh = this.#dh.fill(0), vectors = this.#vectors;
    for (let k = 0; k < size; k++) {
      const gradient = odds[k]! / total - (k === size - 1 ? 1 : 0);
      const at = WIDTH * drawn[k]!;
      for (let j = 0; j < WIDTH; j++) dh[j] = dh[j]! + gradient * vectors[at + j]!;
      this.#descend(drawn[k]!, gradient, h);
    }
    for (let k = 0; k < this.#size; k++) this.#descend(this.#context[k]!, this.#shares[k]!, dh);
  }

  /** Draws categories other than one and those of the context. @returns how many: draws that met one are left out */
  #draw(place: number): number {
    const newest = this.#newest;
    const from = Math.min(this.#behaviours, newest.length);
    let size = 0;
    for (let k = 0; from > 0 && k < DRAWN; k++) {
      const other = newest[mix(Math.imul(this.#behaviours, DRAWN) + k) % from]!;
      if (other !== place && !this.#has(other)) this.#drawn[size++] = other;
    }
    return size;
  }

  /** Row-wise Adagrad of a vector with decay, whose gradient is `scale` times `direction`. */
  #descend(place: number, scale: number, direction: Float64Array): void {
    let squares = 0;
    for (let j = 0; j < WIDTH; j++) squares += direction[j]! * direction[j]!;
    const sum = this.#squares[place] = KEPT * this.#squares[place]! + scale * scale * squares / WIDTH;
    const rate = RATE * scale / Math.sqrt(sum);
    const at = WIDTH * place, vectors = this.#vectors;
    for (let j = 0; j < WIDTH; j++) vectors[at + j] = vectors[at + j]! - rate * direction[j]!;
  }

  /** Gives a category a place, and a vector that depends on its name alone. */
  #make(category: number): number {
    const place = this.#added++ % this.#capacity;
    this.#makeRoom(place + 1);
    if (this.#added > this.#capacity) this.#places.delete(this.#names[place]!);
    this.#names[place] = category;
    this.#places.set(category, place);
    fillNormal(this.#vectors.subarray(WIDTH * place, WIDTH * (place + 1)), SCALE, [category, 0]);
    this.#squares[place] = START_SQUARES;
    return place;
  }

  #makeRoom(entries: number): void {
    const { length } = this.#names;
    if (entries <= length) return;
    const room = Math.min(this.#capacity, Math.max(2 * length, entries));
    const [names, vectors, squares] = [this.#names, this.#vectors, this.#squares];
    (this.#names = new Uint32Array(room)).set(names);
    (this.#vectors = new Float32Array(WIDTH * room)).set(vectors);
    (this.#squares = new Float32Array(room)).set(squares);
  }
}
