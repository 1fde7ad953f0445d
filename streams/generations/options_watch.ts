/**
 * Notices that another process runs the deployment with other options: a starting process records its own, and
 * options that need no rebuild change process by process. Until all processes are restarted, tasks differ.
 */

import { getLogger } from "@logtape/logtape";
import type { Log } from "../log/log.ts";
import { type Blueprint, generationsOf } from "../topics/generations.ts";
import type { Topics } from "../topics/topics.ts";
import { type Change, valuesText } from "./changes.ts";

/** What other sources mean. */
const SOURCES = "; one process at a time takes in sources: topics that it does not follow wait";

const logger = getLogger(["meander", "run"]);

/** Compares the options of this process with those on the log. */
export class OptionsWatch {
  readonly #log: Pick<Log, "identify" | "bounds" | "read">;
  readonly #topics: Pick<Topics, "generations">;
  readonly #changesOf: (before: Blueprint, now: Blueprint) => readonly Change[];
  /** The last logged text. */
  #logged = "";

  constructor(
    log: Pick<Log, "identify" | "bounds" | "read">,
    topics: Pick<Topics, "generations">,
    changesOf: (before: Blueprint, now: Blueprint) => readonly Change[],
  ) {
    this.#log = log;
    this.#topics = topics;
    this.#changesOf = changesOf;
  }

  /** Logs how the record of the generation differs from what this process runs it with, once each time it changes. */
  async look(generation: number, own: Blueprint): Promise<void> {
    const recorded = (await generationsOf(this.#log, this.#topics)).get(generation);
    if (recorded === undefined) return;
    // The record comes first, as it may be of another release: options that only one of them has do not count.
    const changes = this.#changesOf(recorded.blueprint, own)
      .map((change) => ({ ...change, before: change.now, now: change.before }));
    const what = changes.map(valuesText).join("; ");
    if (what === this.#logged) return;
    this.#logged = what;
    if (what === "") logger.info("all processes have been started with the same options again");
    else {
      logger.warn(
        "another process runs this deployment with other options: {what}; this one keeps its own until it is restarted " +
          "with those, and until then its partitions are handled differently{sources}",
        { what, sources: changes.some(({ name }) => name.startsWith("sources.")) ? SOURCES : "" },
      );
    }
  }
}
