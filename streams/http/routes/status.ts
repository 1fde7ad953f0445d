/** Whether the process is alive, whether it can answer, and how it is doing. */

import { z } from "zod";
import type { ServiceStatus } from "../../service/status.ts";
import type { ApiContext } from "../context.ts";
import { named } from "../contract/named_schema.ts";
import { Problem } from "../contract/problem.ts";
import { within } from "../deadline.ts";
import type { Endpoint } from "../endpoint.ts";
import { LogProbe, PROBE_MS, unready } from "./readiness.ts";

const count = z.int().min(0);

const learner = z.object({
  version: count.describe("Newest version made."),
  rows: count.describe("Predictions evaluated."),
  lag: count.describe("Samples not yet learnt."),
  auc: z.number().nullable(),
  ctr: z.number().nullable(),
});

const { Health, Models, Ready, Status } = named({
  Health: z.object({ status: z.literal("ok"), uptimeSeconds: z.number() }),
  Models: z.object({
    models: z.array(z.object({
      model: z.string(),
      version: count.describe("The version that scores here; 0 = none yet."),
      learner: learner.nullable().describe("Null when it learns in another process."),
    })),
  }),
  Ready: z.object({ ready: z.boolean(), reasons: z.array(z.string()) }),
  Status: z.looseObject({
    events: count,
    version: count,
    partitions: z.array(z.looseObject({
      partition: count,
      restoring: z.boolean(),
      committed: count,
      lag: count,
      watermark: z.number().nullable(),
      users: count,
      othersLearnt: count.describe("Signals of other partitions that the task has learnt."),
      othersLag: count.describe("Records of such signals that it has yet to learn."),
    })),
    learner: learner.nullable(),
    monitor: z.object({
      running: count.describe("Running experiments."),
      lag: count.describe("Recommendations and samples not yet in its figures."),
      stopped: count.describe("Experiments that it has stopped since it started here."),
      lost: count.describe("Offsets that the log dropped before they were counted."),
    }).nullable().describe("The monitor of experiments. Null when it runs in another process."),
    sources: z.object({
      isReading: z.boolean(),
      fault: z.string().nullable().describe("What keeps it from reading, where that is known."),
      lags: z.array(z.object({
        source: z.string(),
        topic: z.string(),
        partition: count,
        lag: count.describe("Records not yet taken in, including holes in the log."),
        lagMs: z.number().min(0).describe("How long ago the oldest of them arrived."),
        lost: count.describe("Offsets that the topic dropped before they were taken in."),
      })),
    }).nullable().describe("Topics of sources. Null when there are none, or another process takes them in."),
    rebuild: z.object({
      generation: count,
      failure: z.string().nullable().describe(
        "Why the last attempt to switch to it failed. Null if none has.",
      ),
    }).nullable().describe("The generation that this process was started to build. Null when there is none."),
  }),
});

const NO_STATUS: ServiceStatus = {
  events: 0,
  version: 0,
  partitions: [],
  learner: null,
  monitor: null,
  sources: null,
  rebuild: null,
};

export function statusEndpoints(context: ApiContext): readonly Endpoint[] {
  const { clock, log, metrics, topics } = context;
  const started = clock();
  const probe = new LogProbe(log, topics.events, clock);
  return [
    {
      method: "GET",
      path: "/v1/models",
      id: "getModels",
      summary: "The models, their versions, and how their learners are doing",
      scope: "read",
      answers: { 200: { description: "The models of this process", schema: Models } },
      problems: ["unavailable"],
      handle: () => getModels(context),
    },
    {
      method: "GET",
      path: "/v1/status",
      id: "getStatus",
      summary: "Partitions, lag, restores, learner and monitor of this process",
      scope: "read",
      answers: { 200: { description: "How this process is doing", schema: Status } },
      problems: ["unavailable"],
      handle: async () => Response.json(await statusOf(context) ?? NO_STATUS),
    },
    {
      method: "GET",
      path: "/health",
      id: "health",
      summary: "Whether the process is alive",
      scope: null,
      answers: { 200: { description: "It is", schema: Health } },
      handle: () => Response.json({ status: "ok", uptimeSeconds: Math.round((clock() - started) / 1000) }),
    },
    {
      method: "GET",
      path: "/ready",
      id: "ready",
      summary: "Whether the process can answer",
      scope: null,
      answers: {
        200: { description: "It can", schema: Ready },
        503: { description: "It cannot; the body says why", schema: Ready },
      },
      handle: async () => {
        const reasons = await unready(context, probe);
        const ready = reasons.length === 0;
        return Response.json({ ready, reasons }, { status: ready ? 200 : 503 });
      },
    },
    {
      method: "GET",
      path: "/metrics",
      id: "metrics",
      summary: "Metrics, for Prometheus",
      scope: "metrics",
      answers: { 200: { description: "Prometheus' text format", type: "text/plain" } },
      handle: async () =>
        new Response(await metrics.render(), { headers: { "content-type": metrics.contentType } }),
    },
  ];
}

/** How the service is doing. @throws Problem `unavailable` when the log does not report its end in time */
export async function statusOf(
  { service }: Pick<ApiContext, "service">,
): Promise<ServiceStatus | undefined> {
  if (service === undefined) return undefined;
  return await within(service.status(), PROBE_MS, () => {
    const detail = `The log has not answered for ${PROBE_MS} ms; see GET /ready`;
    return new Problem("unavailable", detail, { headers: { "retry-after": "1" } });
  });
}

async function getModels({ service }: ApiContext): Promise<Response> {
  if (service === undefined) return Response.json({ models: [] });
  const { version, learner } = await statusOf({ service }) ?? NO_STATUS;
  return Response.json({ models: [{ model: service.serving.model, version, learner }] });
}
