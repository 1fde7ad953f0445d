/**
 * The endpoints of experiments: what can be said of them, and every change. A change is a commit on the log, so it
 * applies as if it had been made by the command, and a replay applies it at the same event.
 *
 * @module
 */

import type { z } from "zod";
import { ExperimentError } from "../../../src/assignment/changes.ts";
import type { ExperimentRecord } from "../../../src/assignment/experiment.ts";
import { ExperimentViews } from "../../experiments/views.ts";
import { CHANGE_SCHEMAS, draftSchema, issuesOf } from "../../experiments/schemas.ts";
import { deployedModels, ExperimentRegistry } from "../../experiments/registry.ts";
import { LogError } from "../../log/log.ts";
import { within } from "../deadline.ts";
import type { Endpoint } from "../endpoint.ts";
import type { ApiContext } from "../context.ts";
import { readObject } from "../object_body.ts";
import { Problem } from "../contract/problem.ts";
import type { SchemaName } from "../contract/schemas.ts";

/** How long a change may take before the client is told to look again. */
const CHANGE_TIMEOUT_MS = 15_000;

/** Makes the endpoints. */
export function experimentEndpoints(context: ApiContext): readonly Endpoint[] {
  const { log, topics, now, service } = context;
  const views = new ExperimentViews(log, topics, now, () => service?.monitor);
  const changes = new Changes(context);
  return [
    {
      method: "GET",
      path: "/v1/experiments",
      id: "getExperiments",
      summary: "The experiments, and what can be said of them by now",
      description:
        "Reads what is new on the log. Where the monitor works elsewhere, figures go on from what it wrote down.",
      scope: "read",
      answers: { 200: { description: "Running ones first", schema: "Experiments" } },
      handle: async () => Response.json(await views.views()),
    },
    changeEndpoint(changes, "startExperiment", {
      path: "/v1/experiments",
      summary: "Starts an experiment, or a stopped one again",
      body: ["ExperimentDraft", draftSchema],
      make: (registry, draft) => registry.start(draft),
    }),
    changeEndpoint(changes, "changeTraffic", {
      path: "/v1/experiments/:name/traffic",
      summary: "Changes the share of users that are in an experiment; who can stay stays",
      body: ["TrafficChange", CHANGE_SCHEMAS.TrafficChange],
      make: (registry, { traffic }, name) => registry.traffic(name, traffic),
    }),
    changeEndpoint(changes, "stopExperiment", {
      path: "/v1/experiments/:name/stop",
      summary: "Stops an experiment: everybody gets the defaults again",
      body: ["StopChange", CHANGE_SCHEMAS.StopChange],
      make: (registry, { reason = "" }, name) => registry.stop(name, reason),
    }),
    changeEndpoint(changes, "promoteVariant", {
      path: "/v1/experiments/:name/promote",
      summary: "Gives everybody a variant",
      body: ["PromoteChange", CHANGE_SCHEMAS.PromoteChange],
      make: (registry, { variant }, name) => registry.promote(name, variant),
    }),
    changeEndpoint(changes, "rollBackExperiment", {
      path: "/v1/experiments/:name/rollback",
      summary: "Takes a promotion back: everybody gets the defaults again",
      body: ["StopChange", CHANGE_SCHEMAS.StopChange],
      make: (registry, { reason = "" }, name) => registry.rollBack(name, reason),
    }),
    changeEndpoint(changes, "setHoldout", {
      path: "/v1/holdout",
      summary: "Keeps a share of all users out of every experiment",
      body: ["HoldoutChange", CHANGE_SCHEMAS.HoldoutChange],
      answer: "Holdout",
      make: (registry, { share }) => registry.holdout(share),
    }),
  ];
}

interface Change<Body> {
  readonly path: string;
  readonly summary: string;
  readonly body: readonly [name: SchemaName, schema: z.ZodType<Body>];
  /** @default {"Experiment"} */
  readonly answer?: SchemaName;
  readonly make: (registry: ExperimentRegistry, body: Body, name: string) => Promise<ExperimentRecord>;
}

function changeEndpoint<Body>(changes: Changes, id: string, change: Change<Body>): Endpoint {
  const { path, summary, body: [name, schema], answer = "Experiment", make } = change;
  const named = path.includes(":name");
  return {
    ...{ method: "POST", path, id, summary, scope: "experiments" },
    ...(named ? { parameters: { name: "Name of the experiment" } } : {}),
    body: { kinds: ["json"], schema: name },
    answers: { 200: { description: "What is so from the next event on", schema: answer } },
    problems: named ? ["not-found", "conflict", "unavailable"] : ["conflict", "unavailable"],
    handle: async ({ request, parameters }) => {
      const body = await changes.body(request, name, schema);
      return await changes.make((registry) => make(registry, body, parameters["name"] ?? ""));
    },
  };
}

/** Makes changes one after the other: two at once would fence each other. */
class Changes {
  readonly #context: ApiContext;
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** The body of a request. @throws Problem */
  async body<Body>(request: Request, name: SchemaName, schema: z.ZodType<Body>): Promise<Body> {
    const result = schema.safeParse(await readObject(request, this.#context.bodies, name));
    if (result.success) return result.data;
    const faults = issuesOf(result.error);
    throw new Problem("refused", faults.join("; "), { more: { faults } });
  }

  /** Makes a change, and answers with what is then. @throws Problem */
  async make(change: (registry: ExperimentRegistry) => Promise<ExperimentRecord>): Promise<Response> {
    const made = this.#last.then(async () => {
      const { log, topics, now } = this.#context;
      const registry = new ExperimentRegistry(log, topics, { models: await this.#models(), now });
      return await change(registry);
    });
    this.#last = made.catch(() => {});
    const late = () =>
      new Problem(
        "unavailable",
        `The log has not answered for ${CHANGE_TIMEOUT_MS} ms; the change may be made yet`,
        { headers: { "retry-after": "5" } },
      );
    try {
      return Response.json(await within(made, CHANGE_TIMEOUT_MS, late));
    } catch (error) {
      throw problemOf(error);
    }
  }

  /** Models that variants may want: those at work here, and those that others have published. */
  async #models(): Promise<string[]> {
    const { log, topics, service } = this.#context;
    const here = service === undefined ? [] : service.models.map(({ serving }) => serving);
    return [...new Set([...await deployedModels(log, topics), ...here.map(({ model }) => model)])].sort();
  }
}

function problemOf(error: unknown): unknown {
  if (error instanceof ExperimentError) {
    const { message, faults, isMissing } = error;
    return new Problem(isMissing ? "not-found" : "conflict", message, { cause: error, more: { faults } });
  }
  if (error instanceof LogError && error.code === "fenced") {
    return new Problem("conflict", "Somebody changed the experiments at the same time: try again", {
      cause: error,
    });
  }
  return error;
}
