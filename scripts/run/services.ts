/** The services of a process of `run`: one for each generation that it serves, one after another. */

import { blueprintChanges, blueprintOf } from "../../streams/config/blueprint.ts";
import { generationLog } from "../../streams/generations/generation_log.ts";
import { OptionsWatch } from "../../streams/generations/options_watch.ts";
import { boundedLog } from "../../streams/generations/build/bounded_log.ts";
import { type Bounded, mayWork } from "../../streams/generations/succession.ts";
import type { Log } from "../../streams/log/log.ts";
import type { WarmGeneration } from "../../streams/service/jobs/options.ts";
import { Service } from "../../streams/service/service.ts";
import type { ServiceStatus } from "../../streams/service/status.ts";
import type { Blueprint } from "../../streams/topics/generations.ts";
import { generationTopics, type Topics } from "../../streams/topics/topics.ts";
import type { OnlinePlan } from "./online.ts";
import { type GenerationSetup, type RunParts, serviceOptions } from "./service_options.ts";
import type { RunSettings } from "./settings.ts";

/** What all services of the process have in common. */
export interface ServicesParts {
  /** Topics of the first generation. */
  readonly topics: Topics;
  readonly settings: RunSettings;
  readonly parts: RunParts;
  /** Number of the generation that serves at the start. */
  readonly first: number;
  readonly plan: OnlinePlan | null;
}

/** Tasks of a generation that another thread has built. */
interface Warm {
  readonly tasks: WarmGeneration;
  readonly ends: number[];
}

/** Starts services of generations, and informs them of what is built alongside. */
export class Services {
  readonly #log: Log;
  readonly #with: ServicesParts;
  /** Topics of the generation being built. */
  #building: Topics | null;
  #rebuild: ServiceStatus["rebuild"];
  /** By generation, what this process runs it with. */
  readonly #blueprints = new Map<number, Blueprint>();
  readonly #watch: OptionsWatch;

  constructor(log: Log, parts: ServicesParts) {
    const { topics, plan } = parts;
    this.#log = log;
    this.#with = parts;
    this.#watch = new OptionsWatch(log, topics, blueprintChanges);
    this.#building = plan && generationTopics(topics, plan.generation.number);
    this.#rebuild = plan && { generation: plan.generation.number, failure: null };
  }

  /** Starts a service. @param warm its tasks, and where they stop; if absent, it restores them, and they stop nowhere */
  async start(setup: GenerationSetup, generation: number, warm?: Warm): Promise<Bounded> {
    const { topics, settings, parts, first } = this.#with;
    this.#blueprints.set(generation, blueprintOf(setup.config, setup));
    const own = await generationLog(this.#log, topics, generation);
    const ends = warm?.ends ?? new Array<number>(setup.partitions).fill(Infinity);
    const service = await Service.start(boundedLog(own, topics.events, ends), {
      ...serviceOptions(setup, settings, parts),
      generation,
      warm: warm?.tasks,
      beside: () => this.#building,
      rebuild: () => this.#rebuild,
      ...(generation !== first && { serveVersion: undefined }),
      mayWork: (signal) => mayWork(this.#log, topics, generation, signal),
    });
    return { service, ends };
  }

  /** Warns if another process runs a generation with other options than this one. */
  async compare(generation: number): Promise<void> {
    const own = this.#blueprints.get(generation);
    if (own !== undefined) await this.#watch.look(generation, own);
  }

  buildHasFailed(failure: string): void {
    this.#rebuild = this.#rebuild && { ...this.#rebuild, failure };
  }

  /** Ends the build. @param isNewest whether the newest generation serves */
  buildIsOver(isNewest: boolean): void {
    this.#building = null;
    if (isNewest) this.#rebuild = null;
  }
}
