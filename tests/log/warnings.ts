/** What the product logs while a test acts. */

import { configure, type LogRecord, reset } from "@logtape/logtape";

/** What has been logged as a warning or worse so far, in order; disposing stops listening. */
export interface Heard extends AsyncDisposable {
  readonly records: readonly LogRecord[];
  readonly messages: readonly string[];
}

/** Listens to the product. */
export async function listen(): Promise<Heard> {
  const records: LogRecord[] = [];
  await configure({
    sinks: { heard: (record) => void records.push(record) },
    loggers: [
      { category: "meander", sinks: ["heard"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  return {
    records,
    get messages() {
      return records.map(({ message }) => message.join(""));
    },
    [Symbol.asyncDispose]: reset,
  };
}

/** Runs a function. @returns what is logged meanwhile as a warning or worse, in order */
export async function warnings(act: () => Promise<unknown>): Promise<readonly string[]> {
  await using heard = await listen();
  await act();
  return heard.messages;
}
