/**
 * Prints what commands print for given arguments, as JSON: one process for all of them, as most of the time of each would
 * go into loading the same code.
 *
 *     deno run -A tests/docs/helps.ts '[["scripts/replay.ts", "--help"], ["scripts/meander.ts", "run", "--help"]]'
 *
 * A command runs when its module is loaded first, so each is called once at most.
 *
 * @module
 */

import process from "node:process";
import { callAs } from "../../scripts/flags/command_line.ts";

const calls: readonly (readonly [file: string, ...args: string[]])[] = JSON.parse(Deno.args[0] ?? "[]");
const print = process.stdout.write.bind(process.stdout);
const texts: string[] = [];
for (const [file, ...args] of calls) {
  const parts: string[] = [];
  process.stdout.write = process.stderr.write = (part: string | Uint8Array) => parts.push(String(part)) > 0;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  process.exit = Deno.exit = () => {
    end();
    throw new Error(`${file} has ended`); // it does not go on
  };
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  callAs(file, args);
  const loaded: Promise<unknown> = import(new URL(`../../${file}?${texts.length}`, import.meta.url).href);
  await Promise.race([ended, loaded]);
  loaded.catch(() => {});
  texts.push(parts.join(""));
}
print(JSON.stringify(texts));
