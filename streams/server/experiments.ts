/**
 * The endpoints of experiments: what can be said of them, and every change. A change is a commit on the log, so it
 * applies as if it had been made by the command, and a replay applies it at the same event.
 *
 * @module
 */

import type { z } from "zod";
import { parseJson } from "../../src/events/json.ts";
import { ExperimentError } from "../../src/experiments/changes.ts";
import type { ExperimentRecord } from "../../src/experiments/experiment.ts";
import { ExperimentViews } from "../experiments/views.ts";
import { CHANGE_SCHEMAS, draftSchema, issuesOf } from "../experiments/schemas.ts";
import { deployedModels, ExperimentRegistry } from "../experiments/registry.ts";
import { LogError } from "../log/log.ts";
import { bodyKind, readBody } from "./body.ts";
import { within } from "./deadline.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ApiContext } from "./endpoints.ts";
import { Problem, type ProblemCode } from "./problem.ts";

/** How long a change may take before the client is told to look again. */
const CHANGE_TIMEOUT_MS = 15_000;
/** Problems of a change. */
const PROBLEMS: readonly ProblemCode[] = ["not-found", "conflict", "unavailable"];

/** Makes the endpoints. */
export function experimentEndpoints(context: ApiContext): readonly Endpoint[] {
  const { log, topics, now } = context;
  const views = new ExperimentViews(log, topics, now);
  const changes = new Changes(context);
  const name = { name: "Name of the experiment" };
  return [
    {
      method: "GET",
      path: "/v1/experiments",
      id: "getExperiments",
      summary: "The experiments, and what can be said of them by now",
      description: "Reads what is new on the log since it was asked before; the first time, all of it.",
      scope: "read",
      answers: { 200: { description: "Running ones first", schema: "Experiments" } },
      handle: async () => Response.json(await views.views()),
    },
    {
      method: "POST",
      path: "/v1/experiments",
      id: "startExperiment",
      summary: "Starts an experiment, or a stopped one again",
      scope: "experiments",
      body: { kinds: ["json"], schema: "ExperimentDraft" },
      answers: { 200: { description: "It runs from the next event on", schema: "Experiment" } },
      problems: ["conflict", "unavailable"],
      handle: async ({ request }) => {
        const draft = await changes.body(request, draftSchema);
        return await changes.make((registry) => registry.start(draft));
      },
    },
    {
      method: "POST",
      path: "/v1/experiments/:name/traffic",
      id: "changeTraffic",
      summary: "Changes the share of users that are in an experiment",
      description: "Nobody changes variant, and who can stay stays.",
      ...{ scope: "experiments", parameters: name },
      body: { kinds: ["json"], schema: "TrafficChange" },
      answers: { 200: { description: "The experiment", schema: "Experiment" } },
      problems: PROBLEMS,
      handle: async ({ request, parameters }) => {
        const { traffic } = await changes.body(request, CHANGE_SCHEMAS.TrafficChange);
        return await changes.make((registry) => registry.traffic(parameters["name"] ?? "", traffic));
      },
    },
    {
      method: "POST",
      path: "/v1/experiments/:name/stop",
      id: "stopExperiment",
      summary: "Stops an experiment: everybody gets the defaults again",
      ...{ scope: "experiments", parameters: name },
      body: { kinds: ["json"], schema: "StopChange" },
      answers: { 200: { description: "The experiment", schema: "Experiment" } },
      problems: PROBLEMS,
      handle: async ({ request, parameters }) => {
        const { reason = "" } = await changes.body(request, CHANGE_SCHEMAS.StopChange);
        return await changes.make((registry) => registry.stop(parameters["name"] ?? "", reason));
      },
    },
    {
      method: "POST",
      path: "/v1/experiments/:name/promote",
      id: "promoteVariant",
      summary: "Gives everybody a variant",
      ...{ scope: "experiments", parameters: name },
      body: { kinds: ["json"], schema: "PromoteChange" },
      answers: { 200: { description: "The experiment", schema: "Experiment" } },
      problems: PROBLEMS,
      handle: async ({ request, parameters }) => {
        const { variant } = await changes.body(request, CHANGE_SCHEMAS.PromoteChange);
        return await changes.make((registry) => registry.promote(parameters["name"] ?? "", variant));
      },
    },
    {
      method: "POST",
      path: "/v1/experiments/:name/rollback",
      id: "rollBackExperiment",
      summary: "Takes a promotion back: everybody gets the defaults again",
      ...{ scope: "experiments", parameters: name },
      body: { kinds: ["json"], schema: "StopChange" },
      answers: { 200: { description: "The experiment", schema: "Experiment" } },
      problems: PROBLEMS,
      handle: async ({ request, parameters }) => {
        const { reason = "" } = await changes.body(request, CHANGE_SCHEMAS.StopChange);
        return await changes.make((registry) => registry.rollBack(parameters["name"] ?? "", reason));
      },
    },
    {
      method: "POST",
      path: "/v1/holdout",
      id: "setHoldout",
      summary: "Keeps a share of all users out of every experiment",
      scope: "experiments",
      body: { kinds: ["json"], schema: "HoldoutChange" },
      answers: { 200: { description: "Those kept out", schema: "Holdout" } },
      problems: ["conflict", "unavailable"],
      handle: async ({ request }) => {
        const { share } = await changes.body(request, CHANGE_SCHEMAS.HoldoutChange);
        return await changes.make((registry) => registry.holdout(share));
      },
    },
  ];
}

/** Makes changes one after the other: two at once would fence each other. */
class Changes {
  readonly #context: ApiContext;
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** The body of a request. @throws Problem */
  async body<Body>(request: Request, schema: z.ZodType<Body>): Promise<Body> {
    bodyKind(request.headers, ["json"]);
    const parsed = parseJson(await readBody(request, this.#context.maxBodyBytes), "body");
    if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
    const result = schema.safeParse(parsed.value);
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
