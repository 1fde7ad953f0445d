/** `deno task meander -- why-not USER ITEM`: what keeps an item off a user's list. */

import { printable } from "../../streams/report/format.ts";
import type { WhyNotView } from "../../streams/http/routes/why_not.ts";
import { commandArguments, commandName, count, createCommand, runCommand } from "../flags/command_line.ts";
import { addServerFlags, call, part, type ServerFlags, tell } from "../flags/server_flags.ts";

interface Flags extends ServerFlags {
  readonly count: number;
}

async function main([user = "", item = ""]: readonly string[], flags: Flags): Promise<number> {
  const path = `/v1/users/${part(user)}/why-not/${part(item)}?count=${flags.count}`;
  return tell(flags, await call<WhyNotView>(flags, "GET", path), render);
}

function render(
  { user, item, title, recommended, place, candidates, count, score, lowest, reasons }: WhyNotView,
): string {
  const named = title === undefined ? item : `${item} (${printable(title)})`;
  const figure = (value: number | null) => value === null ? "none" : value.toFixed(4);
  const lines = recommended
    ? [`${named} is recommended to ${user}, at place ${(place ?? 0) + 1} of ${count}`]
    : [
      `${named} is not recommended to ${user}:`,
      ...reasons.map(({ code, reason }) => `  ${code}: ${reason}`),
    ];
  const rank = place === null ? "" : `place ${place + 1} of ${candidates} candidates; `;
  return [...lines, `${rank}score ${figure(score)}, the last on the list has ${figure(lowest)}`, ""].join(
    "\n",
  );
}

const name = commandName("why-not");
const program = addServerFlags(
  createCommand(name).description("Show what keeps an item off a user's list. Nothing is logged.")
    .argument("<user>", "id of the user").argument("<item>", "id of the item"),
)
  .option("--count <n>", "length of the list, at most 20", count, 10)
  .addHelpText("after", `\nExample:\n  ${name} ann tent`)
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.args, program.opts<Flags>()));
