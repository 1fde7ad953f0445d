/**
 * `deno task meander labels`: the bias of each label policy by the delay of clicks, as a table in Markdown.
 *
 * @module
 */

import { labelBias } from "./label_bias/label_bias.ts";
import { LABEL_POLICIES } from "../../src/users/pending/label_policy.ts";
import {
  commandArguments,
  commandName,
  createCommand,
  integer,
  print,
  runCommand,
} from "../flags/command_line.ts";

const WINDOW_MS = 600_000;
/** Mean delay of a click, in windows. */
const DELAYS = [0.2, 0.5, 1, 2, 4];

const program = createCommand(commandName("labels"))
  .description("Compares the label policies on a stream whose click probabilities and delays are known.")
  .option("--lists <n>", "lists shown in each stream", integer, 8000)
  .option("--seeds <n>", "streams to average each figure over", integer, 3);

program.parse(commandArguments(), { from: "user" });
const { lists, seeds } = program.opts<{ readonly lists: number; readonly seeds: number }>();

await runCommand(() => {
  print(Deno.stdout, `| mean delay / window | clicks after it | ${LABEL_POLICIES.join(" | ")} |\n`);
  print(Deno.stdout, `|${" --- |".repeat(2 + LABEL_POLICIES.length)}\n`);
  for (const delay of DELAYS) {
    const ratios = LABEL_POLICIES.map((policy) => {
      const options = {
        lists,
        policy,
        windowMs: WINDOW_MS,
        lateMs: 30 * WINDOW_MS,
        delayMs: delay * WINDOW_MS,
      };
      let sum = 0;
      for (let seed = 0; seed < seeds; seed++) sum += labelBias({ ...options, seed }).ratio;
      return (sum / seeds).toFixed(3);
    });
    const late = (100 * Math.exp(-1 / delay)).toFixed(1);
    print(Deno.stdout, `| ${delay} | ${late} % | ${ratios.join(" | ")} |\n`);
  }
  return Promise.resolve(0);
});
