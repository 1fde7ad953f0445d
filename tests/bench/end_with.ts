/**
 * For benches that wait for other processes: when one dies, what they wait for never comes.
 *
 * @module
 */

import { type DevBroker, SERVER_JVM, startBroker } from "../../scripts/kafka/dev_broker.ts";

/** Ends this process when a service fails, and the service when this process ends. */
export function endWith(service: Deno.ChildProcess): Deno.ChildProcess {
  const kill = () => service.kill("SIGKILL");
  globalThis.addEventListener("unload", kill);
  service.status.then(({ code }) => {
    globalThis.removeEventListener("unload", kill);
    if (code !== 0) end(`The service has ended with ${code}; run it by hand to see why`);
  });
  return service;
}

/** Starts a broker with a server's flags; if it dies unasked, this process ends. */
export async function startMeasuredBroker(): Promise<DevBroker> {
  const broker = await startBroker({ jvm: SERVER_JVM });
  let isAsked = false;
  broker.ended.then(() => isAsked || end("The broker has ended"));
  return {
    ...broker,
    stop() {
      isAsked = true;
      return broker.stop();
    },
    [Symbol.asyncDispose]() {
      isAsked = true;
      return broker[Symbol.asyncDispose]();
    },
  };
}

function end(why: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`${why}\n`));
  Deno.exit(1);
}
