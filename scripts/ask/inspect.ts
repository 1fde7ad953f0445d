/** `deno task meander -- inspect USER`: what a deployment knows about a user. */

import { printable } from "../../streams/report/format.ts";
import { renderFacts, renderTable } from "../../streams/report/table.ts";
import type { UserView } from "../../streams/http/routes/users.ts";
import { commandArguments, commandName, createCommand, runCommand } from "../flags/command_line.ts";
import { addServerFlags, call, part, type ServerFlags, tell, when } from "../flags/server_flags.ts";

/** Most behaviours, and most items of a list, that are printed. */
const MAX_SHOWN = 20;

async function main(user: string, flags: ServerFlags): Promise<number> {
  const view = await call<UserView>(flags, "GET", `/v1/users/${part(user)}`);
  return tell(flags, view, render);
}

function render(view: UserView): string {
  const { profile, behaviours, totalBehaviours, pending, parked, hidden, lastOffset } = view;
  const facts = renderFacts([
    ["user", view.user],
    ["profile", Object.keys(profile).length === 0 ? "-" : JSON.stringify(profile)],
    ["behaviours", `${totalBehaviours}, ${behaviours.length} of them kept`],
    ["lists with an open outcome", String(pending.length)],
    ["interactions waiting for their list", String(parked)],
    ["recurrent state", `${hidden.size} numbers, computed by version ${hidden.version}`],
    ["offset of the last event", String(lastOffset)],
  ]);
  const done = renderTable(
    [
      { title: "time" },
      { title: "action" },
      { title: "item" },
      { title: "title" },
      { title: "categories" },
      { title: "strength", align: "right" },
    ],
    behaviours.slice(-MAX_SHOWN).reverse().map(({ time, action, item, title = "", categories, strength }) => [
      when(time),
      action,
      item,
      printable(title),
      categories.join(", "),
      String(Number(strength.toFixed(3))),
    ]),
  );
  const lists = renderTable(
    [{ title: "time" }, { title: "request" }, { title: "items, * = a positive" }],
    pending.map(({ time, request, items }) => [
      when(time),
      request,
      [
        ...items.slice(0, MAX_SHOWN).map(({ item, label }) => label === 1 ? `${item}*` : item),
        ...(items.length > MAX_SHOWN ? [`and ${items.length - MAX_SHOWN} more (--json has all)`] : []),
      ].join(" "),
    ]),
  );
  return [facts, ...(behaviours.length === 0 ? [] : [done]), ...(pending.length === 0 ? [] : [lists])].join(
    "\n",
  );
}

const program = addServerFlags(
  createCommand(commandName("inspect")).description("Show what a deployment knows about a user.")
    .argument("<user>", "id of the user"),
)
  .addHelpText(
    "after",
    `\nExamples:\n  ${commandName("inspect")} ann\n  ${commandName("inspect")} ann --json`,
  )
  .parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.args[0] ?? "", program.opts<ServerFlags>()));
