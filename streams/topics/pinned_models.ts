/** The pinned versions of models in a process, loaded from the topic `pins`. */

import { getLogger } from "@logtape/logtape";
import { partsOf } from "../../src/assignment/pins.ts";
import type { Serving } from "../../src/features/serving.ts";
import type { ServingModel } from "../../src/serving/serving_model.ts";
import { reasonOf } from "../../src/values/reason.ts";
import type { Log } from "../log/log.ts";
import { decodePinned, readPin } from "./pins.ts";
import type { Topics } from "./topics.ts";

const logger = getLogger(["meander", "experiments"]);

export type PinSource = Pick<PinnedModels, "need" | "release">;

/** The pinned versions of a process, shared by its tasks. A version that no task needs is dropped. */
export class PinnedModels {
  readonly #log: Log;
  readonly #topic: string;
  readonly #make: (model: string, key: string) => ServingModel | undefined;
  readonly #needed = new Map<number, ReadonlySet<string>>();
  readonly #models = new Map<string, Promise<ServingModel | undefined>>();

  /** Loads nothing yet. @param make makes a model at version 0, named by its key; `undefined` = it does not run here */
  constructor(
    log: Log,
    topics: Topics,
    make: (model: string, key: string) => ServingModel | undefined,
  ) {
    this.#log = log;
    this.#topic = topics.pins;
    this.#make = make;
  }

  /**
   * Sets the pinned versions that a task needs.
   *
   * @param keys full keys, such as `dien@52`
   * @returns The models of those that are available
   */
  async need(partition: number, keys: ReadonlySet<string>): Promise<Serving[]> {
    this.#needed.set(partition, keys);
    this.#drop();
    const found: Serving[] = [];
    for (const key of keys) {
      const loading = this.#models.get(key) ?? this.#load(key);
      this.#models.set(key, loading);
      loading.catch(() => this.#models.delete(key));
      const serving = await loading;
      if (serving !== undefined) found.push(serving);
    }
    return found;
  }

  /** Drops the needs of a task that lost its partition. */
  release(partition: number): void {
    this.#needed.delete(partition);
    this.#drop();
  }

  /** Full keys of the versions that are loaded. */
  get loaded(): readonly string[] {
    return [...this.#models.keys()].sort();
  }

  #drop(): void {
    const all = new Set([...this.#needed.values()].flatMap((keys) => [...keys]));
    for (const key of this.#models.keys()) if (!all.has(key)) this.#models.delete(key);
  }

  async #load(key: string): Promise<ServingModel | undefined> {
    const { model, version } = partsOf(key);
    const serving = this.#make(model, key);
    if (serving === undefined) return undefined;
    const records = await readPin(this.#log, this.#topic, key);
    try {
      for (const record of records) {
        const decoded = decodePinned(record, record.value);
        if (decoded === null) return undefined;
        serving.apply(decoded);
      }
    } catch (error) {
      const reason = reasonOf(error);
      logger.warn(
        "version {version} of {model} on {topic} belongs to another model or other features: {reason}",
        { topic: this.#topic, version, model, reason },
      );
      return undefined;
    }
    if (serving.version === version) return serving;
    logger.warn("version {version} of {model} is pinned but not on {topic}: its variants are left out", {
      model,
      version,
      topic: this.#topic,
    });
    return undefined;
  }
}
