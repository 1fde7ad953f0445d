/** The experiments of a task: their changes are among its events, and may pin versions of models. */

import { reject, type Rejected } from "../../src/events/rejected.ts";
import type { ExperimentRecord } from "../../src/assignment/experiment.ts";
import { pinnedModels } from "../../src/assignment/pins.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import { errorOf } from "../../src/values/reason.ts";
import { decodeExperiment, EXPERIMENT } from "../experiments/record.ts";
import type { LogRecord } from "../log/log.ts";
import type { PinSource } from "../topics/pinned_models.ts";

/** Applies experiments to the state of a task, and holds the versions that they pin until disposed. */
export class TaskExperiments implements Disposable {
  readonly #state: TaskState;
  readonly #partition: number;
  readonly #pins: PinSource | undefined;

  private constructor(state: TaskState, partition: number, pins: PinSource | undefined) {
    this.#state = state;
    this.#partition = partition;
    this.#pins = pins;
  }

  /** Loads the versions that a restored state needs. @param pins if absent, variants that pin a version are left out */
  static async open(
    state: TaskState,
    partition: number,
    pins: PinSource | undefined,
  ): Promise<TaskExperiments> {
    using opened = new DisposableStack();
    const experiments = opened.use(new TaskExperiments(state, partition, pins));
    if (pins !== undefined) await experiments.#need(pins);
    opened.move();
    return experiments;
  }

  /** Whether a record among the events is a change of an experiment. */
  static isChange({ headers }: LogRecord): boolean {
    return headers[EXPERIMENT] !== undefined;
  }

  /**
   * Loads the versions that changes among these records pin, which score from those records on, and drops versions
   * that are no longer needed.
   */
  async pin(records: readonly LogRecord[]): Promise<void> {
    if (this.#pins === undefined) return;
    const changes = records.filter(TaskExperiments.isChange);
    if (changes.length === 0 && !this.#state.models.hasSparePins(this.#state.watermark)) return;
    const coming = changes.flatMap((change) => {
      const record = readExperiment(change);
      return record instanceof Error ? [] : [record];
    });
    await this.#need(this.#pins, coming);
  }

  /** Applies a change. @returns a rejection if it is invalid, else `null` */
  apply(change: LogRecord): Rejected | null {
    const record = readExperiment(change);
    if (record instanceof Error) return reject("wrong-type", record.message);
    this.#state.applyExperiments([record]);
    return null;
  }

  /** Releases its versions. */
  [Symbol.dispose](): void {
    this.#pins?.release(this.#partition);
  }

  async #need(pins: PinSource, coming: readonly ExperimentRecord[] = []): Promise<void> {
    const keys = [...this.#state.models.pins(), ...pinnedModels(coming, this.#state.servingModel)];
    this.#state.models.setPinned(await pins.need(this.#partition, new Set(keys)));
  }
}

/** An experiment, or why the record is invalid. */
function readExperiment({ value }: LogRecord): ExperimentRecord | Error {
  try {
    return decodeExperiment(value ?? new Uint8Array(0));
  } catch (error) {
    return errorOf(error);
  }
}
