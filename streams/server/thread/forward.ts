/**
 * Forwards requests that a server in its own thread cannot answer there: both ends of the port.
 *
 * @module
 */

import { isRecord } from "../../../src/values/record.ts";
import type { Outcome, PortCaller } from "../../log/threads/port_calls.ts";
import type { Bodies } from "../../http/bodies.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import { Problem } from "../../http/contract/problem.ts";
import type { NoAnswer, PlainRequest, PlainResponse, ProcessCalls } from "./messages.ts";

/** Headers of the body as it was sent; it is forwarded unpacked. */
const OF_THE_BODY = ["content-encoding", "content-length", "transfer-encoding"];
const ENDLESS = "text/event-stream";

/** The answer of the other thread. @throws Problem the one that the call failed with there */
export async function answerOf<Answer>(call: Promise<Answer | NoAnswer>): Promise<Answer> {
  const answer = await call;
  if (isNoAnswer(answer)) throw Problem.of(answer.problem);
  return answer;
}

/** Answers {@linkcode answerOf}; a problem is sent as a result. */
export async function answered<Answer>(
  answer: () => Promise<Outcome<Answer>>,
): Promise<Outcome<Answer | NoAnswer>> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { result: { problem: error.plain } };
  }
}

function isNoAnswer<Answer>(answer: Answer | NoAnswer): answer is NoAnswer {
  return isRecord(answer) && "problem" in answer;
}

/** An endpoint that forwards to the one with its id in the other thread. @param here answers instead, if it can */
export function forwarded(
  endpoint: Endpoint,
  process: PortCaller<ProcessCalls>,
  bodies: Bodies,
  here: () => Response | undefined,
): Endpoint {
  return {
    ...endpoint,
    async handle({ request, parameters }) {
      const own = here();
      if (own !== undefined) return own;
      const { url, method } = request;
      const body = endpoint.body === undefined || request.body === null ? null : await bodies.read(request);
      const headers = [...request.headers].filter(([name]) => !OF_THE_BODY.includes(name));
      const plain: PlainRequest = { endpoint: endpoint.id, url, method, headers, body, parameters };
      const answer = await answerOf(process.call("handle", [plain]));
      return new Response(answer.body, {
        status: answer.status,
        headers: answer.headers.map(([...pair]) => pair),
      });
    },
  };
}

/** Answers a forwarded request. */
export async function answerForwarded(
  endpoints: ReadonlyMap<string, Endpoint>,
  bodies: Bodies,
  { endpoint: id, url, method, headers, body, parameters }: PlainRequest,
): Promise<Outcome<PlainResponse>> {
  const endpoint = endpoints.get(id);
  if (endpoint === undefined) throw new Error(`Cannot answer for ${id}: there is no such endpoint`);
  const request = new Request(url, { method, headers: headers.map(([...pair]) => pair), body });
  const response = await Promise.try(() => endpoint.handle({ request, parameters }))
    .finally(() => bodies.release(request));
  const isEndless = response.headers.get("content-type")?.startsWith(ENDLESS) ?? false;
  const sent = isEndless ? response.body : await response.arrayBuffer();
  const result: PlainResponse = { status: response.status, headers: [...response.headers], body: sent };
  return { result, transfer: sent === null ? [] : [sent] };
}
