/**
 * The HTTP API under load: server and clients on this machine.
 *
 *     deno run -A tests/bench/http.ts [base|din|dien|mimn] [clients] [options of `run`, such as --memory 1GB]
 *
 * Recommendations of 100 given candidates for users with a past; then the time from a click to a list that reflects it;
 * then events one by one and in batches.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { BenchServer, type Call, EACH } from "./http_server.ts";
import { machineLine } from "./machine.ts";

const [model = "dien", clients = "8", ...options] = Deno.args;
const CLIENTS = Number(clients);
const SECONDS = 10;
/** Warm-up before anything is measured: the server is compiled as it runs. */
const WARM_SECONDS = 10;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** Processor time of this process, milliseconds. */
const ownCpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

print(await machineLine());
await using server = await BenchServer.start(ROOT, model, options);

async function measure(what: string, call: Call, count: number): Promise<void> {
  const { version } = await server.status();
  const [cpu, own] = [await server.cpuSeconds(), ownCpuMs()];
  const { times } = await server.load(call, count, SECONDS);
  const calls = times.length * EACH[call];
  const ownMs = (ownCpuMs() - own) / calls;
  const cpuMs = (await server.cpuSeconds() - cpu) / calls * 1000;
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? NaN).toFixed(1);
  const now = await server.status();
  print(
    `${what.padEnd(48)} ${String(Math.round(calls / SECONDS)).padStart(6)}/s   ` +
      `p50 ${at(0.5)} ms   p99 ${at(0.99)} ms   max ${(times.at(-1) ?? NaN).toFixed(0)} ms   ` +
      `${cpuMs.toFixed(3)} ms of processor each, clients ${ownMs.toFixed(3)}   ` +
      `${Math.round((now.version - version) / SECONDS)} versions/s, ${now.waiting} waiting`,
  );
}

await server.load("rank", CLIENTS, WARM_SECONDS);
await measure(`rank 100 candidates, ${model}, 1 client`, "rank", 1);
await measure(`rank 100 candidates, ${model}, ${CLIENTS} clients`, "rank", CLIENTS);
await measure(`click, then the list that knows it, ${model}, 1 client`, "click", 1);
await measure(`events one by one, ${CLIENTS} clients`, "event", CLIENTS);
await measure("events in batches of 1000, 2 clients", "batch", 2);
print(`behind then: ${(await server.status()).lag} events`);
print(`ended with ${await server.stop()}`);
