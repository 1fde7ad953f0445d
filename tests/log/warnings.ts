/** What the product logs while a test acts. */

import { configure, reset } from "@logtape/logtape";

/** Runs a function. @returns what is logged meanwhile as a warning or worse, in order */
export async function warnings(act: () => Promise<unknown>): Promise<string[]> {
  const said: string[] = [];
  await configure({
    sinks: { said: ({ message }) => void said.push(message.join("")) },
    loggers: [
      { category: "meander", sinks: ["said"], lowestLevel: "warning" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  try {
    await act();
  } finally {
    await reset();
  }
  return said;
}
