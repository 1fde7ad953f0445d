/** Manages the experiments of a running service over its HTTP API, for logs that only the service may open. */

import type { ExperimentDraft } from "../../src/assignment/changes.ts";
import type { Experiment, Holdout } from "../../src/assignment/experiment.ts";
import { isRecord } from "../../src/values/record.ts";
import type { ExperimentChanges } from "./registry.ts";
import type { ExperimentsView } from "./views.ts";

/** Options of an {@linkcode ExperimentClient}. */
export interface ExperimentClientOptions {
  /** A key with the scopes `experiments` and `read`. @default {none} */
  readonly key?: string | undefined;
  /** Longest wait for a response, milliseconds. @default {30_000} */
  readonly timeoutMs?: number;
}

/**
 * Reads and changes the experiments of a service over its HTTP API. A rejected call throws with the service's own
 * message.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DEFAULT_SCHEMA, ExperimentClient, MemoryLog, Service, topicNames } from "@meander/meander";
 * import { Metrics, startHttp } from "@meander/meander/http";
 *
 * await using log = new MemoryLog();
 * await using service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 * const place = { hostname: "127.0.0.1", port: 0 };
 * await using server = await startHttp({ log, service, metrics: new Metrics(topicNames()), ...place });
 *
 * const client = new ExperimentClient(server.url);
 * await client.start({ name: "explore", variants: [{ name: "model" }, { name: "rates", model: "prior" }] });
 * const { experiments } = await client.views();
 * assert.deepEqual(experiments.map(({ name, status }) => [name, status]), [["explore", "running"]]);
 * ```
 */
export class ExperimentClient implements ExperimentChanges {
  readonly #url: URL;
  readonly #options: ExperimentClientOptions;

  /**
   * Makes a client of the service at `url`, such as `http://127.0.0.1:8080`.
   *
   * @throws SyntaxError when the URL is invalid
   */
  constructor(url: string, options: ExperimentClientOptions = {}) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new SyntaxError(`Cannot use ${url} as the URL of a service: expected http://host:port`);
    }
    this.#url = new URL(url);
    this.#options = options;
  }

  start(draft: ExperimentDraft): Promise<Experiment> {
    return this.#call("/v1/experiments", draft);
  }

  /** Changes the share of users in an experiment. */
  traffic(name: string, traffic: number): Promise<Experiment> {
    return this.#change(name, "traffic", { traffic });
  }

  /** Stops a running or promoted experiment. */
  stop(name: string, reason: string): Promise<Experiment> {
    return this.#change(name, "stop", { reason });
  }

  /** Gives every user one variant. */
  promote(name: string, variant: string): Promise<Experiment> {
    return this.#change(name, "promote", { variant });
  }

  /** Undoes a promotion. */
  rollBack(name: string, reason: string): Promise<Experiment> {
    return this.#change(name, "rollback", { reason });
  }

  /** Holds a share of all users out of all experiments. */
  holdout(share: number): Promise<Holdout> {
    return this.#call("/v1/holdout", { share });
  }

  /** All experiments with their figures and verdicts. */
  views(): Promise<ExperimentsView> {
    return this.#call("/v1/experiments");
  }

  #change(name: string, what: string, body: unknown): Promise<Experiment> {
    return this.#call(`/v1/experiments/${encodeURIComponent(name)}/${what}`, body);
  }

  async #call<T>(path: string, body?: unknown): Promise<T> {
    const { key, timeoutMs = 30_000 } = this.#options;
    const url = new URL(this.#url.pathname.replace(/\/$/, "") + path, this.#url);
    const headers = new Headers();
    if (key !== undefined) headers.set("x-api-key", key);
    const init: RequestInit = { headers, signal: AbortSignal.timeout(timeoutMs) };
    if (body !== undefined) {
      headers.set("content-type", "application/json");
      init.method = "POST";
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await fetch(url, init);
    } catch (cause) {
      throw new Error(`Cannot reach the service at ${this.#url.origin}`, { cause });
    }
    const text = await response.text();
    if (response.ok) return JSON.parse(text); // as the API of this release describes
    throw new Error(detailOf(text) ?? `${url} responds with status ${response.status}`);
  }
}

/** The detail of a problem document; `undefined` when the text is not one. */
function detailOf(text: string): string | undefined {
  try {
    const problem: unknown = JSON.parse(text);
    const detail = isRecord(problem) ? problem["detail"] : undefined;
    return typeof detail === "string" ? detail : undefined;
  } catch {
    return undefined; // the response came from a proxy
  }
}
