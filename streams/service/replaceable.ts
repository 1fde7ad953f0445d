/**
 * Lets a service be replaced by another while an HTTP server, a dashboard and metrics hold a reference to it.
 */

import type { Topics } from "../topics/topics.ts";
import type { Service } from "./service.ts";

/** Topic names of the serving generation, which change with it: read them each time. */
export class ServingTopics {
  readonly topics: Topics;
  #current: Topics;

  /** Starts with these names. */
  constructor(topics: Topics) {
    this.#current = topics;
    this.topics = following(() => this.#current);
  }

  /** Changes the names. */
  follow(topics: Topics): void {
    this.#current = topics;
  }
}

/** Holds a service, and the ones that replace it. */
export class Replaceable {
  /** The current service: hold this, and read its properties each time. */
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

  /** The current service itself. */
  get current(): Service {
    return this.#current;
  }

  /** Whether no requests are answered until the service is replaced. */
  get isReleased(): boolean {
    return this.#held !== undefined;
  }

  /** Stops the tasks of the service. Observers see them as they were until the service is replaced. */
  async release(): Promise<void> {
    this.#held = this.#current.tasks;
    await this.#current.stopTasks();
  }

  /** Replaces the service. @returns the previous one, which runs until it is stopped */
  replace(service: Service): Service {
    const before = this.#current;
    this.#current = service;
    this.#held = undefined;
    this.#topics.follow(service.deployment.topics);
    return before;
  }
}

/**
 * An object whose properties are those of the current target at the time when they are read.
 *
 * @param over properties of its own
 */
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
