/**
 * Problems over HTTP, as in RFC 9457: `application/problem+json` with a stable `code`.
 *
 * @module
 */

/** All problems: status and title. */
export const PROBLEMS = {
  "bad-body": [400, "The body cannot be read"],
  "unknown-field": [400, "The body has an unknown field"],
  "bad-host": [400, "The host name is malformed"],
  "bad-parameter": [400, "A parameter is invalid"],
  "unauthorized": [401, "A key is needed"],
  "forbidden": [403, "The key does not allow this"],
  "foreign-host": [403, "The host name is not one of this server"],
  "cross-site": [403, "Another site may not call this server"],
  "not-found": [404, "Not found"],
  "method-not-allowed": [405, "The method is not allowed here"],
  "body-timeout": [408, "The body did not arrive in time"],
  "conflict": [409, "The change conflicts with the current state"],
  "too-large": [413, "The body is too large"],
  "unsupported-media-type": [415, "The body's type is not accepted here"],
  "elsewhere": [421, "Another process serves this user"],
  "refused": [422, "The body was refused"],
  "too-many-requests": [429, "Too many requests"],
  "internal": [500, "Internal error"],
  "unavailable": [503, "Not ready"],
  "answer-timeout": [504, "There was no answer in time"],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_TYPE = "application/problem+json";

export interface ProblemOptions extends ErrorOptions {
  /** Further members of the body. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error with its HTTP response. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly #options: ProblemOptions;

  /** Makes a problem. @param detail a sentence for people */
  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options);
    this.name = "Problem";
    this.code = code;
    this.status = PROBLEMS[code][0];
    this.#options = options;
  }

  toResponse(requestId: string): Response {
    const { code, status, message: detail } = this;
    const { more, headers } = this.#options;
    const [, title] = PROBLEMS[code];
    const body = { type: `urn:meander:problem:${code}`, title, status, detail, code, requestId, ...more };
    return new Response(JSON.stringify(body), {
      status,
      headers: { "content-type": PROBLEM_TYPE, ...headers },
    });
  }
}
