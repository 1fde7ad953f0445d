/** `deno task meander -- explain USER [ITEM]`: what a user would be recommended now, and why. */

import { printable } from "../../streams/report/format.ts";
import { renderTable } from "../../streams/report/table.ts";
import type { ExplanationView } from "../../streams/http/routes/explain.ts";
import { commandArguments, commandName, count, createCommand, runCommand } from "../flags/command_line.ts";
import { addServerFlags, call, part, type ServerFlags, tell } from "../flags/server_flags.ts";

interface Flags extends ServerFlags {
  readonly count: number;
}

/** Behaviours named per item. */
const NAMED = 3;

async function main([user = "", item]: readonly string[], flags: Flags): Promise<number> {
  const query = item === undefined ? `count=${flags.count}` : `item=${part(item)}`;
  const view = await call<ExplanationView>(flags, "GET", `/v1/users/${part(user)}/explain?${query}`);
  return tell(flags, view, render);
}

function render({ user, model, version, variant, behaviours, items, empty }: ExplanationView): string {
  const head =
    `${user}: ${model}, version ${version}${variant === undefined ? "" : `, variant ${variant}`}, ` +
    `${behaviours.length} behaviours\n\n`;
  const rows = items.map(({ item, title = "", source, score, prior, effects }, place) => {
    const named = effects.map((effect, at) => ({ effect: effect ?? 0, at }))
      .filter(({ effect }) => effect !== 0)
      .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, NAMED)
      .map(({ effect, at }) => {
        const { action = "", item = "" } = behaviours[at] ?? {};
        return `${effect > 0 ? "+" : ""}${effect.toFixed(2)} ${action} ${item}`;
      });
    return [
      String(place + 1),
      item,
      printable(title),
      source,
      score.toFixed(4),
      prior.toFixed(4),
      named.join(", "),
    ];
  });
  const table = renderTable([
    { title: "", align: "right" },
    { title: "item" },
    { title: "title" },
    { title: "from" },
    { title: "score", align: "right" },
    { title: "prior", align: "right" },
    { title: "raised or lowered by, in log-odds" },
  ], rows);
  return empty === null ? head + table : `${head}nothing is recommended: ${empty.reason}\n`;
}

const name = commandName("explain");
const program = addServerFlags(
  createCommand(name)
    .description(
      "Show what a user would be recommended now, or where an item ranks, and why. Nothing is logged.",
    )
    .argument("<user>", "id of the user").argument("[item]", "explain this item"),
)
  .option("--count <n>", "length of the list, at most 20", count, 5)
  .addHelpText("after", `\nExamples:\n  ${name} ann\n  ${name} ann tent --json`)
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.args, program.opts<Flags>()));
