/** An endpoint: its description for people and OpenAPI, its access rules, and its handler. */

import type { JsonSchema } from "../../src/events/json_schema.ts";
import type { BodyKind } from "./body.ts";
import type { Admitted, Scope } from "./contract/access.ts";
import type { NamedSchema } from "./contract/named_schema.ts";
import type { ProblemCode } from "./contract/problem.ts";

export interface Call extends Admitted {
  readonly request: Request;
  /** Parts of the path by name. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The body of a response. */
export interface Content {
  readonly description: string;
  /** Schema of its JSON. @default {none} */
  readonly schema?: NamedSchema | undefined;
  /** Media type. @default {"application/json"} */
  readonly type?: string | undefined;
}

export interface Parameter {
  readonly about: string;
  readonly schema: JsonSchema;
  /** Whether a query may have it several times. @default {false} */
  readonly repeats?: boolean | undefined;
}

export interface EndpointBody {
  readonly kinds: readonly BodyKind[];
  readonly schema: NamedSchema;
  /** Whether it may also be a list, or one per line. @default {false} */
  readonly many?: boolean | undefined;
  /** Whether only browsers must send a content type. @default {false} */
  readonly untyped?: boolean | undefined;
}

/** One method of one path. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path; a part that begins with a colon is a parameter. */
  readonly path: string;
  /** Operation id for generated clients. */
  readonly id: string;
  /** What it does, in one line. */
  readonly summary: string;
  readonly description?: string | undefined;
  /** Scope that a key needs; `null`: no key is needed. */
  readonly scope: Scope | null;
  /** Parts of the path; a text describes an id or a name. */
  readonly parameters?: Readonly<Record<string, string | Parameter>> | undefined;
  /** Parameters of the query; all are optional. */
  readonly query?: Readonly<Record<string, Parameter>> | undefined;
  readonly body?: EndpointBody | undefined;
  /** Responses by status. */
  readonly answers: Readonly<Record<number, Content>>;
  /** Problems in addition to those that any endpoint may answer with. */
  readonly problems?: readonly ProblemCode[] | undefined;
  /** Answers a call. May throw a `Problem`. */
  readonly handle: (call: Call) => Promise<Response> | Response;
}

export function queryOf({ request }: Call): URLSearchParams {
  return new URL(request.url).searchParams;
}

/** Whether an endpoint belongs to our own API; clients of others may send fields and parameters that we ignore. */
export function isOwn({ path }: Endpoint): boolean {
  return path.startsWith("/v1/");
}
