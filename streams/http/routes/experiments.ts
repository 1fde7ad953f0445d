/**
 * The endpoints of experiments: their figures and verdicts, and every change. Like the command, they commit a change to
 * the log, so a replay applies it at the same event.
 */

import { z } from "zod";
import { ExperimentError } from "../../../src/assignment/changes.ts";
import type { ExperimentRecord } from "../../../src/assignment/experiment.ts";
import { ExperimentViews } from "../../experiments/views.ts";
import { ORDERED_BY } from "../../../src/events/recommendation.ts";
import { METRICS } from "../../../src/assignment/metrics.ts";
import { USER_SEGMENTS } from "../../../src/experiments/totals.ts";
import {
  CHANGE_SCHEMAS,
  draftSchema,
  experimentSchema,
  holdoutSchema,
  issuesOf,
} from "../../experiments/schemas.ts";
import { deployedModels, ExperimentRegistry } from "../../experiments/registry.ts";
import { InTurn } from "../../log/in_turn.ts";
import { LogError } from "../../log/log.ts";
import { within } from "../deadline.ts";
import type { Call, Endpoint } from "../endpoint.ts";
import type { ApiContext } from "../context.ts";
import { checkFields, readObject } from "../object_body.ts";
import { Problem } from "../contract/problem.ts";
import { named, type NamedSchema } from "../contract/named_schema.ts";

/** Longest wait for a change. */
const CHANGE_TIMEOUT_MS = 15_000;

const count = z.int().min(0);
const figure = z.number().nullable();

const lift = {
  lift: figure.describe("Relative change against the control."),
  low: figure,
  high: figure,
};
const segment = { users: count, value: figure.describe("The metric that decides."), ...lift };
const metricNames = Object.keys(METRICS);

const experimentsSchema = z.object({
  experiments: z.array(z.object({
    name: z.string().describe("`holdout`: the users held out, against all others."),
    hypothesis: z.string(),
    status: z.enum(["running", "stopped", "promoted"]),
    winner: z.string().nullable(),
    reason: z.string().nullable(),
    layer: z.string(),
    traffic: z.number(),
    metric: z.string(),
    guardRails: z.array(z.string()),
    variants: z.array(z.object({
      ...segment,
      name: z.string(),
      control: z.boolean(),
      lists: count,
      rows: count.describe("Shown items with a final outcome."),
      ctr: figure,
      metrics: z.object(Object.fromEntries(metricNames.map((name) => [name, figure]))),
      lifts: z.object(Object.fromEntries(metricNames.map((name) => [name, z.object(lift)]))),
      segments: z.object(Object.fromEntries(USER_SEGMENTS.map((name) => [name, z.object(segment)]))),
      word: z.string().nullable().describe("The verdict."),
      tookMs: figure,
      took: z.object({ mean: figure, p50: figure, p99: figure }).describe("Milliseconds to make a list."),
      orderedBy: z.partialRecord(z.enum(ORDERED_BY), z.number())
        .describe("Shares of its answers by what ordered them."),
      lost: count.describe("Users with a list but no sample."),
    })),
    names: z.array(z.string()),
    split: z.object({
      users: z.array(count).describe("By variant."),
      p: z.number().describe("p-value of the sequential test of the split."),
      lostP: z.number().describe("The same of users who got an answer and never came back."),
      sees: figure.describe(
        "Smallest loss of a variant's users that the test detects in 95 % of cases.",
      ),
    }),
    text: z.array(z.string()),
    harm: z.string().nullable().describe("The broken guard rail."),
    moved: count,
  })),
  holdout: z.number().describe("Share of all users held out of all experiments and promotions."),
});

const { Experiments, Experiment, ExperimentDraft, Holdout, ...CHANGES } = named({
  Experiments: experimentsSchema,
  Experiment: experimentSchema,
  ExperimentDraft: draftSchema,
  Holdout: holdoutSchema,
  ...CHANGE_SCHEMAS,
});

export function experimentEndpoints(context: ApiContext): readonly Endpoint[] {
  const { log, topics, now, service } = context;
  const views = new ExperimentViews(log, topics, now, () => service?.monitor);
  const changes = new Changes(context);
  return [
    {
      method: "GET",
      path: "/v1/experiments",
      id: "getExperiments",
      summary: "Experiments with figures and verdicts",
      description:
        "Reads new records of the log. If the monitor runs in another process, figures continue from its last write.",
      scope: "read",
      answers: { 200: { description: "Running ones first", schema: Experiments } },
      handle: async () => Response.json(await views.views()),
    },
    changeEndpoint(changes, "startExperiment", {
      path: "/v1/experiments",
      summary: "Starts an experiment, or restarts a stopped one",
      body: [ExperimentDraft, draftSchema],
      make: (registry, draft) => registry.start(draft),
    }),
    changeEndpoint(changes, "changeTraffic", {
      path: "/v1/experiments/:name/traffic",
      summary: "Changes the share of users in an experiment, with as few moves as possible",
      body: [CHANGES.TrafficChange, CHANGE_SCHEMAS.TrafficChange],
      make: (registry, { traffic }, name) => registry.traffic(name, traffic),
    }),
    changeEndpoint(changes, "stopExperiment", {
      path: "/v1/experiments/:name/stop",
      summary: "Stops an experiment: all users get the defaults again",
      body: [CHANGES.StopChange, CHANGE_SCHEMAS.StopChange],
      make: (registry, { reason = "" }, name) => registry.stop(name, reason),
    }),
    changeEndpoint(changes, "promoteVariant", {
      path: "/v1/experiments/:name/promote",
      summary: "Gives one variant to every user",
      body: [CHANGES.PromoteChange, CHANGE_SCHEMAS.PromoteChange],
      make: (registry, { variant }, name) => registry.promote(name, variant),
    }),
    changeEndpoint(changes, "rollBackExperiment", {
      path: "/v1/experiments/:name/rollback",
      summary: "Undoes a promotion: all users get the defaults again",
      body: [CHANGES.StopChange, CHANGE_SCHEMAS.StopChange],
      make: (registry, { reason = "" }, name) => registry.rollBack(name, reason),
    }),
    changeEndpoint(changes, "setHoldout", {
      path: "/v1/holdout",
      summary: "Holds a share of all users out of all experiments",
      body: [CHANGES.HoldoutChange, CHANGE_SCHEMAS.HoldoutChange],
      answer: Holdout,
      make: (registry, { share }) => registry.holdout(share),
    }),
  ];
}

interface Change<Body> {
  readonly path: string;
  readonly summary: string;
  readonly body: readonly [named: NamedSchema, schema: z.ZodType<Body>];
  /** @default {an experiment} */
  readonly answer?: NamedSchema;
  readonly make: (registry: ExperimentRegistry, body: Body, name: string) => Promise<ExperimentRecord>;
}

function changeEndpoint<Body>(changes: Changes, id: string, change: Change<Body>): Endpoint {
  const { path, summary, body: [schema, zod], answer = Experiment, make } = change;
  const isNamed = path.includes(":name");
  return {
    method: "POST",
    path,
    id,
    summary,
    scope: "experiments",
    parameters: isNamed ? { name: "Name of the experiment" } : undefined,
    body: { kinds: ["json"], schema },
    answers: { 200: { description: "The state from the next event on", schema: answer } },
    problems: isNamed ? ["not-found", "conflict", "unavailable"] : ["conflict", "unavailable"],
    handle: async (call) => {
      const body = await changes.body(call, schema, zod);
      return await changes.make((registry) => make(registry, body, call.parameters["name"] ?? ""));
    },
  };
}

/** Makes changes one at a time: two at once would fence each other. */
class Changes {
  readonly #context: ApiContext;
  readonly #turns = new InTurn();

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** The body of a request. @throws Problem `bad-body`, `unknown-field` or `refused` */
  async body<Body>(call: Call, schema: NamedSchema, zod: z.ZodType<Body>): Promise<Body> {
    const body = await readObject(this.#context, call);
    const result = zod.safeParse(body);
    if (result.success) return result.data;
    checkFields(body, schema);
    const faults = issuesOf(result.error);
    throw new Problem("refused", faults.join("; "), { more: { faults } });
  }

  /** Makes a change, and answers with the new record. @throws Problem */
  async make(change: (registry: ExperimentRegistry) => Promise<ExperimentRecord>): Promise<Response> {
    const made = this.#turns.run(async () => {
      const { log, topics, now } = this.#context;
      const registry = new ExperimentRegistry(log, topics, { models: await this.#models(), now });
      return await change(registry);
    });
    const late = () =>
      new Problem(
        "unavailable",
        `The log has not answered for ${CHANGE_TIMEOUT_MS} ms; the change may still be made`,
        { headers: { "retry-after": "5" } },
      );
    try {
      return Response.json(await within(made, CHANGE_TIMEOUT_MS, late));
    } catch (error) {
      throw problemOf(error);
    }
  }

  /** Models that variants may name: those that work here, and those that other processes have published. */
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
    return new Problem("conflict", "The experiments were changed at the same time: try again", {
      cause: error,
    });
  }
  return error;
}
