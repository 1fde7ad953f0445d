/**
 * A service that is replaced by another while an HTTP server, a dashboard and metrics hold it.
 *
 * @module
 */

import type { Topics } from "../topics/topics.ts";
import type { Service } from "./service.ts";

/** Names of topics that follow the generation which serves, for whoever reads them when it needs them. */
export class ServingTopics {
  /** The names. */
  readonly topics: Topics;
  #current: Topics;

  /** Begins with these. */
  constructor(topics: Topics) {
    this.#current = topics;
    this.topics = following(() => this.#current);
  }

  /** Has the names be others. */
  follow(topics: Topics): void {
    this.#current = topics;
  }
}

/** The place of a service, in which one follows another. */
export class Replaceable {
  /** The service that is there now: hold this, and read of it what is needed when it is. */
  readonly service: Service;
  readonly #topics: ServingTopics;
  #current: Service;
  /** The tasks that are shown while they change hands. */
  #held: Service["tasks"] | undefined;

  /** @param topics follow the service */
  constructor(service: Service, topics: ServingTopics) {
    this.#current = service;
    this.#topics = topics;
    const shown: Partial<Service> = {};
    Object.defineProperties(shown, {
      tasks: { get: () => this.#held ?? this.#current.tasks },
      deployment: { get: () => ({ ...this.#current.deployment, topics: topics.topics }) },
    });
    this.service = following(() => this.#current, shown);
  }

  /** The service itself that is there now. */
  get current(): Service {
    return this.#current;
  }

  /** Whether nobody answers until the service is replaced. */
  get isReleased(): boolean {
    return this.#held !== undefined;
  }

  /** Stops the tasks of the service. Whoever looks at them sees them as they were, until it is replaced. */
  async release(): Promise<void> {
    this.#held = this.#current.tasks;
    await this.#current.stopTasks();
  }

  /** Puts another service into the place. @returns the one before, which goes on until it is stopped */
  replace(service: Service): Service {
    const before = this.#current;
    this.#current = service;
    this.#held = undefined;
    this.#topics.follow(service.deployment.topics);
    return before;
  }
}

/** An object whose properties are those of whatever is there when they are read. @param over properties of its own */
function following<T extends object>(current: () => T, over: Partial<T> = {}): T {
  return new Proxy(current(), {
    get(_, name) {
      if (name in over) return Reflect.get(over, name);
      const now = current();
      const value: unknown = Reflect.get(now, name, now);
      return typeof value === "function" ? value.bind(now) : value;
    },
  });
}
