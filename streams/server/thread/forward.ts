/**
 * Requests that a server in a thread of its own cannot answer by itself: both ends of their way.
 *
 * @module
 */

import type { PortCaller } from "../../log/port_calls.ts";
import { readBody } from "../body.ts";
import type { Endpoint } from "../endpoint.ts";
import { Problem } from "../problem.ts";
import type { PlainRequest, PlainResponse } from "./messages.ts";

/** Headers that speak of a body as it came, which is passed on unpacked. */
const OF_THE_BODY = ["content-encoding", "content-length", "transfer-encoding"];
const ENDLESS = "text/event-stream";

/** An endpoint that asks the one with its id at the other end. */
export function forwarded(endpoint: Endpoint, process: PortCaller, maxBodyBytes: number): Endpoint {
  return {
    ...endpoint,
    async handle({ request, parameters }) {
      const { url, method } = request;
      const body = request.body === null
        ? null
        : await readBody(request, maxBodyBytes) as Uint8Array<ArrayBuffer>;
      const headers = [...request.headers].filter(([name]) => !OF_THE_BODY.includes(name));
      const plain: PlainRequest = { endpoint: endpoint.id, url, method, headers, body, parameters };
      const answer = await process.call("handle", [plain]) as PlainResponse;
      if ("problem" in answer) throw Problem.of(answer.problem);
      return new Response(answer.body, {
        status: answer.status,
        headers: answer.headers.map(([...pair]) => pair),
      });
    },
  };
}

/** What came of a request that was forwarded, and what of it is handed over. */
export async function answerForwarded(
  endpoints: ReadonlyMap<string, Endpoint>,
  { endpoint: id, url, method, headers, body, parameters }: PlainRequest,
): Promise<{ readonly result: PlainResponse; readonly transfer: Transferable[] }> {
  try {
    const endpoint = endpoints.get(id);
    if (endpoint === undefined) throw new Error(`Cannot answer for ${id}: there is no such endpoint`);
    const request = new Request(url, { method, headers: headers.map(([...pair]) => pair), body });
    const response = await endpoint.handle({ request, parameters });
    const answer = { status: response.status, headers: [...response.headers] };
    const isEndless = response.headers.get("content-type")?.startsWith(ENDLESS) ?? false;
    const answered = isEndless ? response.body : await response.arrayBuffer();
    return {
      result: { ...answer, body: answered },
      transfer: answered === null ? [] : [answered as Transferable],
    };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { result: { problem: error.plain }, transfer: [] };
  }
}
