/**
 * Which erased users the records of a task may still name.
 *
 * A journal names users who may be erased later. A snapshot names nobody who was erased before it began, and replaces
 * the journals before it, so a name is gone once such a snapshot is complete and what it replaces is deleted:
 *
 * ```text
 *   a user is erased       a snapshot begins       it is complete, garbage is deleted
 *   ──────┼─────────────────────────┼────────────────────────┼──────▶
 *          written ─────────────────▶ leaving ───────────────▶ gone
 * ```
 *
 * @module
 */

interface Names {
  /** Whether records may name a user whom another task has erased. */
  readonly ofOthers: boolean;
  /** Offset of the first event that erases a user whom records may name; `Infinity` = none. */
  readonly from: number;
}

const NONE: Names = { ofOthers: false, from: Infinity };

/** By partition, a position up to which its task's erasures are known. */
type Positions = ReadonlyMap<number, number>;

/** Names of erased users in what a task has committed. */
export class ErasedNames {
  /** In records since the newest snapshot began. */
  #written = NONE;
  /** In what that snapshot replaces, with the positions when it began; `null` = all of that is deleted. */
  #leaving: (Names & { readonly cleared: Positions }) | null = null;
  #cleared: Positions = new Map();

  /** Notes that records may name a user whom this task erases. @param offset of the event that asks for it */
  add(offset: number): void {
    this.#written = { ...this.#written, from: Math.min(this.#written.from, offset) };
  }

  /** Notes that records may name a user whom another task has erased. */
  addOthers(): void {
    this.#written = { ...this.#written, ofOthers: true };
  }

  /** Whether records may name a user whom another task has erased. */
  get ofOthers(): boolean {
    return this.#written.ofOthers || (this.#leaving?.ofOthers ?? false);
  }

  /** Offset of the first erasure of a user whom records may name; `Infinity` = they name none. */
  get from(): number {
    return Math.min(this.#written.from, this.#leaving?.from ?? Infinity);
  }

  /** Whether a snapshot would replace records that name erased users. */
  get anyWritten(): boolean {
    return hasAny(this.#written);
  }

  /** By partition, the position up to which records name no user whom its task has erased. */
  get cleared(): Positions {
    return this.#cleared;
  }

  /** A snapshot begins, after the erasures of other tasks before these positions. */
  begin(positions: Positions): void {
    this.#leaving = { ...this.#written, cleared: new Map(positions) };
    this.#written = NONE;
  }

  /** What the newest snapshot replaces is deleted. @returns Whether erased users are gone with it */
  end(): boolean {
    const leaving = this.#leaving ?? { ...NONE, cleared: this.#cleared };
    this.#leaving = null;
    this.#cleared = leaving.cleared;
    return hasAny(leaving);
  }

  /** A commit reaches these positions. */
  reach(positions: Positions): void {
    if (!this.ofOthers) this.#cleared = new Map(positions);
  }

  /** Records were read again, with or without some that are yet to be deleted, which may name anybody. */
  restore(hasGarbage: boolean): void {
    this.#leaving = hasGarbage ? { ofOthers: true, from: 0, cleared: this.#cleared } : null;
  }
}

function hasAny({ ofOthers, from }: Names): boolean {
  return ofOthers || from < Infinity;
}
