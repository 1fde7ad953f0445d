/** Logging: one line per message, to stderr. */

import { configure, type LogLevel, type LogRecord } from "@logtape/logtape";

const encoder = new TextEncoder();

/** Configures logging of meander's messages from a level up. Call once per thread. */
export async function configureLogging(level: LogLevel): Promise<void> {
  await configure({
    sinks: { stderr },
    loggers: [
      { category: "meander", sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
}

function stderr({ timestamp, level, category, message }: LogRecord): void {
  const text = message.map((part) => typeof part === "string" ? part : String(part)).join("");
  const name = category.slice(1).join(".");
  const line = encoder.encode(`${new Date(timestamp).toISOString()} ${level.padEnd(7)} ${name}: ${text}\n`);
  for (let at = 0; at < line.length;) at += Deno.stderr.writeSync(line.subarray(at));
}
