/** The OpenAPI 3.1 document of a list of endpoints. */

import { z } from "zod";
import { type JsonSchema, PLAIN } from "../../src/events/json_schema.ts";
import { keysOf } from "../../src/values/record.ts";
import type { BodyKind } from "../http/body.ts";
import { MAX_ID_BYTES } from "../../src/events/limits.ts";
import { type Content, type Endpoint, type EndpointBody, isOwn } from "../http/endpoint.ts";
import { PROBLEM_TYPE, type ProblemCode, PROBLEMS } from "../http/contract/problem.ts";
import { named, type NamedSchema } from "../http/contract/named_schema.ts";
import { rejectedSchema } from "../http/routes/events.ts";

/** Facts about the API as a whole. */
export interface ApiInfo {
  readonly version: string;
  /** Most entries in a body. */
  readonly maxEntries: number;
}

/** Problems of any endpoint with a scope. */
const GUARDED = ["unauthorized", "forbidden", "cross-site", "too-many-requests"] as const;
/** Problems of any endpoint with a body. */
const WITH_BODY = ["bad-body", "body-timeout", "too-large", "unsupported-media-type", "refused"] as const;

export const { Problem: PROBLEM } = named({
  Problem: z.looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(keysOf(PROBLEMS)),
    requestId: z.string(),
    errors: z.array(rejectedSchema).optional(),
    faults: z.array(z.string()).optional().describe("What is wrong with the body, a sentence each."),
  }),
});

/** Makes the document. */
export function openApi(endpoints: readonly Endpoint[], info: ApiInfo): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replace(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint, info);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "meander",
      version: info.version,
      description:
        "Recommendations that follow a user within the session. An event that was answered 200 is durable; " +
        "a recommendation reflects every event of the user that was answered before the request.",
      license: { name: "Apache 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: Object.fromEntries(schemasOf(endpoints).map(({ name, json }) => [name, json])),
      securitySchemes: {
        key: { type: "apiKey", in: "header", name: "X-API-Key" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

function schemasOf(endpoints: readonly Endpoint[]): readonly NamedSchema[] {
  const own = endpoints.flatMap(({ body, answers }) => [body, ...Object.values(answers)]);
  return [PROBLEM, ...own.flatMap((content) => content?.schema ?? [])];
}

/** Schema of a part of a path: an id or a name. */
const PART: JsonSchema = {
  type: "string",
  minLength: 1,
  maxLength: MAX_ID_BYTES,
  pattern: PLAIN,
};

function operation(endpoint: Endpoint, { maxEntries }: ApiInfo): JsonSchema {
  const { id, summary, description, scope, body, parameters = {}, query = {}, answers, problems = [] } =
    endpoint;
  const codes = new Set<ProblemCode>([
    ...["bad-host", "foreign-host"] as const,
    ...scope === null ? [] : GUARDED,
    ...body === undefined ? [] : WITH_BODY,
    ...isOwn(endpoint) || Object.keys(parameters).length > 0 ? ["bad-parameter"] as const : [],
    ...isOwn(endpoint) && body !== undefined && !body.many ? ["unknown-field"] as const : [],
    ...problems,
  ]);
  return {
    operationId: id,
    summary,
    description, // JSON leaves `undefined` out
    security: scope === null ? undefined : [{}, { key: [] }, { bearer: [] }],
    "x-scope": scope ?? undefined,
    parameters: [
      ...Object.entries(parameters).map(([name, parameter]) => {
        const { about, schema } = typeof parameter === "string"
          ? { about: parameter, schema: PART }
          : parameter;
        return { name, in: "path", required: true, description: about, schema };
      }),
      ...Object.entries(query).map(([name, { about, schema: one, repeats }]) => ({
        name,
        in: "query",
        required: false,
        description: about,
        schema: repeats ? { type: "array", items: one } : one,
      })),
    ],
    requestBody: body && {
      required: true,
      description: "May be gzip (Content-Encoding: gzip).",
      content: Object.fromEntries(body.kinds.map((kind) => contentOf(kind, body, maxEntries))),
    },
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, content]) => [status, answerOf(content)])),
      ...problemAnswers(codes),
    },
  };
}

function contentOf(
  kind: BodyKind,
  { schema, many }: EndpointBody,
  maxEntries: number,
): [type: string, content: JsonSchema] {
  if (kind !== "json") {
    return [kind === "lines" ? "application/x-ndjson" : "text/csv", { schema: { type: "string" } }];
  }
  const one = reference(schema);
  // No `maxItems`: like too many bytes, more entries get 413.
  const list = { type: "array", items: one, minItems: 1, description: `At most ${maxEntries} entries.` };
  return ["application/json", { schema: many ? { anyOf: [one, list] } : one }];
}

function answerOf({ description, schema, type = "application/json" }: Content): JsonSchema {
  return { description, content: { [type]: { schema: schema && reference(schema) } } };
}

/** One response per status, even if several problems share it. */
function problemAnswers(codes: Iterable<ProblemCode>): JsonSchema {
  const titles = new Map<number, string[]>();
  for (const code of codes) {
    const [status, title] = PROBLEMS[code];
    titles.set(status, [...titles.get(status) ?? [], title]);
  }
  return Object.fromEntries(
    [...titles].map(([status, all]) => [status, {
      description: all.join("; "),
      content: { [PROBLEM_TYPE]: { schema: reference(PROBLEM) } },
    }]),
  );
}

function reference({ name }: NamedSchema): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
