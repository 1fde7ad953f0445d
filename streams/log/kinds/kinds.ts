/**
 * The kinds of logs that a thread opens by itself. One that is only ever served to it, because it has one owner, needs no
 * line here.
 *
 * @module
 */

import type { KafkaLogOptions } from "../kafka/options.ts";
import type { Log, LogAddress } from "../log.ts";

const KINDS: Readonly<Record<string, (options: unknown) => Promise<Log>>> = {
  // Imported when it is needed: nothing else loads kafkajs.
  kafka: async (options) => {
    const { KafkaLog } = await import("../kafka/kafka_log.ts");
    return await KafkaLog.open(options as KafkaLogOptions);
  },
};

/** Opens the log at an address. @throws TypeError when no kind of log has such addresses */
export async function openAt({ kind, options }: LogAddress): Promise<Log> {
  const open = KINDS[kind];
  if (open === undefined) throw new TypeError(`Cannot open a log of the kind ${JSON.stringify(kind)}`);
  return await open(options);
}
