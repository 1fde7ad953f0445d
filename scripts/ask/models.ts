/** `deno task meander -- models`: the models of a process, their versions, and how their learners are doing. */

import { renderTable } from "../../streams/report/table.ts";
import type { LearnerStatus } from "../../streams/service/status.ts";
import { commandArguments, commandName, createCommand, runCommand } from "../flags/command_line.ts";
import { addServerFlags, call, type ServerFlags, tell } from "../flags/server_flags.ts";

interface Models {
  readonly models: readonly {
    readonly model: string;
    readonly version: number;
    readonly learner: LearnerStatus | null;
  }[];
}

async function main(flags: ServerFlags): Promise<number> {
  return tell(flags, await call<Models>(flags, "GET", "/v1/models"), render);
}

function render({ models }: Models): string {
  const figure = (value: number | null | undefined) => value?.toFixed(4) ?? "-";
  const right = { align: "right" } as const;
  return renderTable(
    [
      { title: "model" },
      ...["serving", "newest", "evaluated", "waiting", "AUC", "CTR"].map((title) => ({ title, ...right })),
    ],
    models.map(({ model, version, learner }) => [
      model,
      String(version),
      String(learner?.version ?? "-"),
      String(learner?.rows ?? "-"),
      String(learner?.lag ?? "-"),
      figure(learner?.auc),
      figure(learner?.ctr),
    ]),
  );
}

const program = addServerFlags(
  createCommand(commandName("models")).description(
    "Show the models of a process, their versions, and how their learners are doing.",
  ),
).parse(commandArguments(), { from: "user" });

await runCommand(() => main(program.opts<ServerFlags>()));
