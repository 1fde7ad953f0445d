/**
 * An endpoint: what it is for people, for OpenAPI and for the router, in one place.
 *
 * @module
 */

import type { JsonSchema } from "../../src/events/json_schema.ts";
import type { Scope } from "./contract/access.ts";
import type { BodyKind } from "./body.ts";
import type { ProblemCode } from "./contract/problem.ts";
import type { SchemaName } from "./contract/schemas.ts";

/** What an endpoint is called with. */
export interface Call {
  /** The request. */
  readonly request: Request;
  /** Parts of the path by name. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The body of a request or an answer. */
export interface Content {
  /** What it is. */
  readonly description: string;
  /** Schema of it as JSON, if there is one. */
  readonly schema?: SchemaName;
  /** Its media type. @default {"application/json"} */
  readonly type?: string;
}

/** A parameter. */
export interface Parameter {
  /** What it is. */
  readonly about: string;
  /** What it may be. */
  readonly schema: JsonSchema;
}

/** The body that an endpoint reads. */
export interface EndpointBody {
  /** What it may be. */
  readonly kinds: readonly BodyKind[];
  readonly schema: SchemaName;
  /** Whether it may also be a list of such, or one a line. @default {false} */
  readonly many?: true;
  /** Whether only browsers have to say what it is. @default {false} */
  readonly untyped?: true;
}

/** One method of one path. */
export interface Endpoint {
  /** The method. */
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path; a part that begins with a colon is a parameter. */
  readonly path: string;
  /** Its name, for those who make clients. */
  readonly id: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** More about it. */
  readonly description?: string;
  /** What a key must allow; `null` = nobody needs a key. */
  readonly scope: Scope | null;
  /** What each part of the path is; without a JSON Schema an id or a name. */
  readonly parameters?: Readonly<Record<string, string | Parameter>>;
  /** What may stand behind the question mark; all of it may be left out. */
  readonly query?: Readonly<Record<string, Parameter>>;
  /** The body. */
  readonly body?: EndpointBody;
  /** Answers by status. */
  readonly answers: Readonly<Record<number, Content>>;
  /** Problems beside those that any endpoint has. */
  readonly problems?: readonly ProblemCode[];
  /**
   * Whether it needs nothing of the process but its log: then a server in a thread of its own answers by itself.
   * @default {false}
   */
  readonly local?: true;
  /** Answers a call. May throw a `Problem`. */
  readonly handle: (call: Call) => Promise<Response> | Response;
}

/** Whether an endpoint is of our own API, and no door for clients of other systems, which may send what they sent there. */
export function isOwn({ path }: Endpoint): boolean {
  return path.startsWith("/v1/");
}
