/**
 * The services of a process of `run`: one for each generation that it serves, one after another.
 *
 * @module
 */

import { generationLog } from "../../streams/generations/generation_log.ts";
import { boundedLog } from "../../streams/generations/rebuild.ts";
import { type Bounded, mayWork } from "../../streams/generations/succession.ts";
import type { Log } from "../../streams/log/log.ts";
import type { ServiceOptions } from "../../streams/service/jobs/options.ts";
import { Service } from "../../streams/service/service.ts";
import type { ServiceStatus } from "../../streams/service/status.ts";
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

/** Starts services of generations, and tells them what is built alongside. */
export class Services {
  readonly #log: Log;
  readonly #with: ServicesParts;
  /** Topics of what is built. */
  #building: Topics | null;
  #rebuild: ServiceStatus["rebuild"];

  constructor(log: Log, parts: ServicesParts) {
    const { topics, plan } = parts;
    this.#log = log;
    this.#with = parts;
    this.#building = plan && generationTopics(topics, plan.generation.number);
    this.#rebuild = plan && { generation: plan.generation.number, failure: null };
  }

  /** Starts a service that restores its tasks. */
  async start(setup: GenerationSetup, generation: number): Promise<Bounded> {
    const ends = new Array<number>(setup.partitions).fill(Infinity);
    return { ends, service: await this.startWarm(setup, generation, { ends }) };
  }

  /** Starts a service, with its tasks if they are given. */
  async startWarm(
    setup: GenerationSetup,
    generation: number,
    { ends, warm }: { readonly ends: number[]; readonly warm?: ServiceOptions["warm"] },
  ): Promise<Service> {
    const { topics, settings, parts, first } = this.#with;
    const own = await generationLog(this.#log, topics, generation);
    return await Service.start(boundedLog(own, topics.events, ends), {
      ...serviceOptions(setup, settings, parts),
      generation,
      warm,
      beside: () => this.#building,
      rebuild: () => this.#rebuild,
      ...(generation !== first && { serveVersion: undefined }),
      mayWork: (signal) => mayWork(this.#log, topics, generation, signal),
    });
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
