/**
 * A server of a checkout under load, started like `deno task run`, after the events of `fixtures/shop`; and the calls
 * to it.
 *
 * @module
 */

import { openSource } from "../../streams/sources/open.ts";
import { taskEnvironment, taskV8Flags } from "../service/task_command.ts";
import { endWith } from "./end_with.ts";
import { HttpClient } from "./http_client.ts";

const EVENTS = 12_000;
/** The users who send events, in turn. */
const USERS = 5000;
const BATCH = 1000;
/** Time after the newest ingested event, and rising from there. */
const START = 1_741_864_100_000;
const time = () => Math.round(START + performance.now());

/** Kinds of calls: a list of given candidates, a click and a list that reflects it, an event, a thousand events. */
export const CALLS = ["rank", "click", "event", "batch"] as const;

/** One of {@linkcode CALLS}. */
export type Call = (typeof CALLS)[number];

/** Events per call, or lists. */
export const EACH: Readonly<Record<Call, number>> = { rank: 1, click: 1, event: 1, batch: BATCH };

/** The result of a load. */
export interface Load {
  /** Milliseconds of each call, sorted. */
  readonly times: readonly number[];
  readonly seconds: number;
}

/** A server that runs until it is disposed of. */
export class BenchServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #folder: string;
  readonly #port: number;
  readonly #candidates: readonly string[];
  /** An event without its time. Repeating it with the same time would be too late, and cost what a rejection costs. */
  readonly #written: (readonly string[])[];
  #turn = 0;

  private constructor(
    process: Deno.ChildProcess,
    folder: string,
    port: number,
    candidates: readonly string[],
  ) {
    this.#process = process;
    this.#folder = folder;
    this.#port = port;
    this.#candidates = candidates;
    this.#written = Array.from(
      { length: USERS },
      () => JSON.stringify(this.#event()).split(/(?<="time":)\d+/),
    );
  }

  /**
   * Starts the server of a checkout, and waits until it has learnt what was ingested. Outcomes are final after a
   * second, so that every list served is learnt while others are requested.
   *
   * @param root of the checkout, ends with a slash
   * @param flags of `run`
   */
  static async start(root: string, model: string, flags: readonly string[]): Promise<BenchServer> {
    const folder = await Deno.makeTempDir({ prefix: "meander-http-" });
    const shop = JSON.parse(await Deno.readTextFile(`${root}fixtures/shop/meander.json`));
    // Nobody clicks on these lists, so the guard would hold versions back.
    const soon = { outcomeWindowMs: 1000, allowedLatenessMs: 0, guard: null };
    // This measures how fast events are accepted, not how fast they are applied.
    const limits = await Deno.readTextFile(`${root}streams/http/contract/limits.ts`);
    const http = limits.includes("maxBehindMs") ? { maxBehindMs: 3_600_000 } : {};
    await Deno.writeTextFile(`${folder}/meander.json`, JSON.stringify({ ...shop, ...soon, http }));
    const [v8, env] = [await taskV8Flags("run"), await taskEnvironment("run")];
    const log = ["--log", "sqlite", "--log-path", `${folder}/log.sqlite`];
    const command = (script: string, ...args: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", ...v8, "-A", "--no-check", `${root}scripts/${script}.ts`, ...log, ...args],
        cwd: root,
        env,
        stdout: "null",
        stderr: Deno.env.get("VERBOSE") === undefined ? "null" : "inherit",
      });
    await command("ingest", "--from", "fixtures/shop", "--limit", String(EVENTS)).output();
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const place = ["--config", `${folder}/meander.json`, "--model", model, "--http", `127.0.0.1:${port}`];
    const process = endWith(command("run", ...place, ...flags).spawn());
    const server = new BenchServer(process, folder, port, await candidatesOf(root));
    while (await server.status().then(({ lag, waiting }) => lag > 0 || waiting > 50)) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return server;
  }

  /** Events not yet committed, samples not yet learnt, and the newest version. */
  async status(): Promise<{ lag: number; waiting: number; version: number }> {
    const { partitions, learner } = await fetch(`http://127.0.0.1:${this.#port}/v1/status`).then(
      (response) => response.json(),
      () => ({ partitions: [], learner: null }),
    );
    return {
      lag: partitions[0]?.lag ?? Infinity,
      waiting: learner?.lag ?? Infinity,
      version: learner?.version ?? 0,
    };
  }

  /** Processor time that it has used, seconds. */
  async cpuSeconds(): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/metrics`);
    return Number(/^process_cpu_seconds_total (\S+)/m.exec(await response.text())?.[1]);
  }

  /** Calls from so many clients at once for a while. */
  async load(call: Call, clients: number, seconds: number): Promise<Load> {
    const times: number[] = [];
    const begun = performance.now();
    const until = begun + seconds * 1000;
    await Promise.all(Array.from({ length: clients }, async () => {
      using client = await HttpClient.open(this.#port);
      for (let at = performance.now(); at < until; at = performance.now()) {
        await this.#calls[call](client);
        times.push(performance.now() - at);
      }
    }));
    return { times: times.sort((a, b) => a - b), seconds: (performance.now() - begun) / 1000 };
  }

  /** Ends it like an operator. @returns its exit code */
  async stop(): Promise<number> {
    this.#process.kill("SIGTERM");
    return (await this.#process.status).code;
  }

  /** Removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }

  readonly #calls: Readonly<Record<Call, (client: HttpClient) => Promise<void>>> = {
    rank: (client) => this.#rank(client, `u${this.#turn++ % 300}`),
    click: async (client) => {
      const user = `u${this.#turn++ % 300}`;
      const click = {
        type: "interaction",
        time: time(),
        user,
        item: `i${this.#turn % 300}`,
        action: "click",
      };
      await post(client, "/v1/events", JSON.stringify(click));
      await this.#rank(client, user);
    },
    event: async (client) => {
      await post(client, "/v1/events", JSON.stringify(this.#event()));
    },
    batch: async (client) => {
      const now = time();
      let lines = "";
      for (let n = 0; n < BATCH; n++) {
        const [start, end] = this.#written[this.#turn++ % USERS] ?? [];
        lines += `${start}${now}${end}\n`;
      }
      await post(client, "/v1/events", lines, "application/x-ndjson");
    },
  };

  async #rank(client: HttpClient, user: string): Promise<void> {
    const request = { user, time: time(), count: 20, candidates: this.#candidates };
    const { items } = await post(client, "/v1/rank", JSON.stringify(request)) as { items: unknown[] };
    if (items.length !== 20) throw new Error(`${items.length} items came, not 20`);
  }

  #event() {
    const user = `w${this.#turn++ % USERS}`;
    return { type: "interaction", time: time(), user, item: `i${this.#turn % 300}`, action: "view" };
  }
}

/** A hundred items of the shop. Items that are not on sale are not scored. */
async function candidatesOf(root: string): Promise<string[]> {
  const candidates: string[] = [];
  for await (const record of openSource("meander", `${root}fixtures/shop`)) {
    if (record.kind === "event" || candidates.length === 100) break;
    if (record.kind !== "item") continue;
    const { item, time, expires = Infinity } = record.item;
    if (time < START && expires > START + 3_600_000) candidates.push(item);
  }
  return candidates;
}

async function post(
  client: HttpClient,
  path: string,
  body: string,
  type = "application/json",
): Promise<unknown> {
  const { status, text } = await client.post(path, body, type);
  if (status !== 200) throw new Error(`${path}: ${text}`);
  return JSON.parse(text);
}
