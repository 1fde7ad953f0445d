/**
 * The guard of a learner judges served predictions and decides when the weights behind them must not be trusted. It is
 * pure and deterministic; `guard_rails.ts` acts on its decisions.
 *
 * ```text
 *            out of band             still, a quarter window later
 *  healthy ───────────────▶ suspect ───────────────────────────▶ rolled back ◀─┐ out of band
 *     ▲ ▲    in band again    │           served version in band, or patience  │ │ again
 *     │ └─────────────────────┘                                 └▶ recovering ──┘
 *     └───────────────────────────── a whole window in band ────────┘
 * ```
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Formats } from "../../codec/formats.ts";
import { type Breakage, breakageOf } from "./band.ts";
import {
  type Block,
  blockOf,
  FIELDS,
  GAIN,
  meanOfBlocks,
  newest,
  ROWS,
  rowsOf,
  TRIMMED,
  WHOLE,
} from "./guard_block.ts";
import { count, type OptionsOf, positive, settle, type Settled } from "../../options/option.ts";
import type { Sample } from "../../samples/sample.ts";
import { times } from "../../values/times.ts";

/** Options of a {@linkcode Guard}. */
export interface GuardOptions {
  /** Rows of the newest window. @default {1024} */
  readonly windowRows?: number | undefined;
  /** Rows of the reference before it. @default {8192} */
  readonly referenceRows?: number | undefined;
  /** Rows before the guard acts. @default {4096} */
  readonly warmUpRows?: number | undefined;
  /** Largest excess of normalised entropy, or surprise, over the reference. @default {0.1} */
  readonly margin?: number | undefined;
  /** Standard errors outside the band before it acts. @default {5} */
  readonly confidence?: number | undefined;
  /** Rows after which a lasting change becomes the new reference. @default {8192} */
  readonly patienceRows?: number | undefined;
}

export const GUARD_OPTIONS = {
  windowRows: count(1024, "rows of the newest window"),
  referenceRows: count(8192, "rows of the reference before it"),
  warmUpRows: count(4096, "rows before the guard acts"),
  margin: positive(
    0.1,
    "largest excess of normalised entropy over the reference, relative to the prior or to what predictions expect",
  ),
  confidence: positive(5, "standard errors outside the band before the guard acts"),
  patienceRows: count(8192, "rows after which a lasting change becomes the new reference"),
} satisfies OptionsOf<GuardOptions>;

/** How far the served versions are trusted. */
const HEALTH = ["healthy", "suspect", "rolled back", "recovering"] as const;

export type Health = (typeof HEALTH)[number];

const REASONS = ["entropy", "calibration", "in band", "patience", "surprise"] as const;

export interface HealthChange {
  readonly to: Health;
  /** Why. */
  readonly reason: (typeof REASONS)[number];
  /** Rows judged so far. */
  readonly rows: number;
  /** Newest version made before it. */
  readonly version: number;
}

/**
 * What to do after a batch: publish the weights; withhold them; publish the last trusted ones and go on from there;
 * do the same because what was learnt meanwhile is worse; or publish what was learnt meanwhile.
 */
export type GuardAction = "publish" | "hold" | "roll back" | "restart" | "adopt";

/** Changes of health that are kept, so that a stream that keeps breaking cannot grow checkpoints. */
const MAX_CHANGES = 256;
const FORMAT = 4;
/** The previous format, whose blocks held other numbers. */
const OTHER_BLOCKS = 3;
/** Versions of the encoding that {@linkcode Guard} reads and writes. */
export const GUARD_FORMATS: Formats = { oldest: OTHER_BLOCKS, newest: FORMAT };

/**
 * Watches one model.
 *
 * Memory: 21 numbers per batch of both windows. Time per batch: linear in those.
 *
 * @example
 * ```ts
 * import { Guard } from "./guard.ts";
 * import assert from "node:assert/strict";
 * const guard = new Guard();
 * assert.equal(guard.update([], 0.3, 1), "publish");
 * assert.equal(guard.health, "healthy");
 * ```
 */
export class Guard {
  readonly #options: Settled<typeof GUARD_OPTIONS>;
  #health: Health = "healthy";
  #changes: HealthChange[] = [];
  #rows = 0;
  /** Oldest version whose predictions count; older ones are from withdrawn weights. */
  #since = 0;
  /** Rows since the model became suspect or, if later, was rolled back. */
  #held = 0;
  #recent: Block[] = [];
  #reference: Block[] = [];

  /** Starts without history. @throws RangeError when an option is not above 0 */
  constructor(options: GuardOptions = {}) {
    this.#options = settle(GUARD_OPTIONS, options);
    for (const [name, value] of Object.entries(this.#options)) {
      if (!(value > 0)) throw new RangeError(`Cannot use ${name} of 0 or less: current value is ${value}`);
    }
  }

  /** How far the served versions are trusted. */
  get health(): Health {
    return this.#health;
  }

  /** Whether new versions may be published. */
  get publishes(): boolean {
    return this.#health === "healthy" || this.#health === "recovering";
  }

  /** The newest changes of health, at most 256, oldest first. */
  get changes(): readonly HealthChange[] {
    return this.#changes;
  }

  /** Rows after which weights that were served without complaint are trusted. */
  get trustRows(): number {
    return 2 * this.#options.windowRows;
  }

  /**
   * Judges a batch.
   *
   * @param samples the batch, with the predictions that were served
   * @param logLoss mean log loss per row of the learner's own weights, before it learnt the batch
   * @param version newest version made; whatever the guard asks to publish must be `version + 1`
   */
  update(samples: readonly Sample[], logLoss: number, version: number): GuardAction {
    const rows = samples.reduce((sum, sample) => sum + sample.rows.length, 0);
    if (rows === 0) return this.publishes ? "publish" : "hold";
    this.#rows += rows;
    this.#held += rows;
    const counts = samples.every((sample) => sample.version >= this.#since);
    if (counts) this.#push(blockOf(samples, logLoss));
    return this.#decide(version);
  }

  encode(to: ByteWriter): void {
    to.u8(FORMAT).u8(HEALTH.indexOf(this.#health)).uint(this.#rows).uint(this.#since).uint(this.#held);
    to.uint(this.#changes.length);
    for (const change of this.#changes) {
      to.u8(HEALTH.indexOf(change.to)).u8(REASONS.indexOf(change.reason))
        .uint(change.rows).uint(change.version);
    }
    for (const blocks of [this.#recent, this.#reference]) {
      to.uint(blocks.length).f64s(Float64Array.from(blocks.flat()));
    }
  }

  /**
   * Reads what {@linkcode Guard.encode} wrote; it replaces the present state. With an older format, the windows start
   * empty.
   *
   * @throws SyntaxError when the bytes do not encode a guard
   */
  decode(from: ByteReader): void {
    const format = from.u8();
    if (format !== FORMAT && format !== OTHER_BLOCKS) {
      throw new SyntaxError(
        `Cannot decode a guard: format is ${format}, this release reads ${OTHER_BLOCKS} to ${FORMAT}`,
      );
    }
    this.#health = named(HEALTH, from.u8());
    this.#rows = from.uint();
    this.#since = from.uint();
    this.#held = from.uint();
    this.#changes = times(from.count(), () => ({
      to: named(HEALTH, from.u8()),
      reason: named(REASONS, from.u8()),
      rows: from.uint(),
      version: from.uint(),
    }));
    const width = format === FORMAT ? FIELDS : 15;
    const blocks = () => times(from.count(), () => [...from.f64s(width)]).filter(() => width === FIELDS);
    this.#recent = blocks();
    this.#reference = blocks();
  }

  #decide(version: number): GuardAction {
    switch (this.#health) {
      case "healthy":
        return this.#whileHealthy(version);
      case "suspect":
        return this.#whileSuspect(version);
      case "rolled back":
        return this.#whileRolledBack(version);
      case "recovering":
        return this.#whileRecovering(version);
    }
  }

  #whileHealthy(version: number): GuardAction {
    const broken = this.#brokenNow();
    if (broken === null) return "publish";
    this.#become("suspect", broken, version);
    this.#held = 0;
    return "hold";
  }

  #whileSuspect(version: number): GuardAction {
    const { windowRows } = this.#options;
    if (this.#held < windowRows / 4) return "hold";
    const lasting = this.#broken(newest(this.#recent, this.#held));
    if (lasting !== null) return this.#giveUp(lasting, version);
    if (this.#held < windowRows) return "hold";
    // The dip is over, but what was learnt during it may be wrong.
    if (this.#worse()) return this.#giveUp("entropy", version);
    this.#become("healthy", "in band", version);
    return "publish";
  }

  /** The burden of proof is reversed: no allowance for chance. */
  #whileRolledBack(version: number): GuardAction {
    if (!this.#isFull) return "hold";
    if (this.#broken(this.#recent, 0) === null) {
      const action = this.#worse() ? "restart" : "adopt";
      this.#resume("in band", version);
      return action;
    }
    if (this.#held < this.#options.patienceRows || this.#worse()) return "hold";
    this.#reference = [];
    this.#resume("patience", version);
    return "adopt";
  }

  #whileRecovering(version: number): GuardAction {
    const broken = this.#brokenNow();
    if (broken !== null) return this.#giveUp(broken, version);
    if (this.#isFull) this.#become("healthy", "in band", version);
    return "publish";
  }

  get #isFull(): boolean {
    return rowsOf(this.#recent) >= this.#options.windowRows;
  }

  #giveUp(reason: HealthChange["reason"], version: number): GuardAction {
    this.#become("rolled back", reason, version);
    this.#forget(version);
    return "roll back";
  }

  #resume(reason: HealthChange["reason"], version: number): void {
    this.#become("recovering", reason, version);
    this.#forget(version);
  }

  #forget(version: number): void {
    this.#since = version + 1;
    this.#held = 0;
    this.#recent = [];
  }

  #become(to: Health, reason: HealthChange["reason"], version: number): void {
    this.#health = to;
    this.#changes.push({ to, reason, rows: this.#rows, version });
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift();
  }

  /** Whether the learner's own weights did worse than the served ones on the newest window. */
  #worse(): boolean {
    return meanOfBlocks([this.#recent], GAIN, ROWS) > 0;
  }

  /** Advances both windows. Batches judged while unhealthy never become part of the reference. */
  #push(block: Block): void {
    const { windowRows, referenceRows } = this.#options;
    this.#recent.push(block);
    let rows = rowsOf(this.#recent);
    for (
      let first = this.#recent[0];
      first && rows - rowsOf([first]) >= windowRows;
      first = this.#recent[0]
    ) {
      rows -= rowsOf([first]);
      this.#recent.shift();
      if (this.#health === "healthy") this.#reference.push(first);
    }
    this.#reference = newest(this.#reference, referenceRows);
  }

  /** Why the newest batch, the newest quarter or all of the window is out of band; `null` if none is. */
  #brokenNow(): Breakage | null {
    const { confidence } = this.#options;
    return this.#broken(this.#recent.slice(-1), confidence, TRIMMED) ??
      this.#broken(newest(this.#recent, this.#options.windowRows / 4)) ??
      this.#broken(this.#recent);
  }

  /** Why the blocks are out of band; `null` if they are not, or there is too little data to tell. */
  #broken(
    blocks: readonly Block[],
    confidence: number = this.#options.confidence,
    fields = WHOLE,
  ): Breakage | null {
    const { margin, warmUpRows } = this.#options;
    if (this.#rows < warmUpRows || blocks.length === 0) return null;
    return breakageOf(blocks, this.#reference, { margin, confidence, fields });
  }
}

function named<T extends string>(names: readonly T[], index: number): T {
  const name = names[index];
  if (name === undefined) {
    throw new SyntaxError(`Cannot decode a guard: no state or reason has the number ${index}`);
  }
  return name;
}
