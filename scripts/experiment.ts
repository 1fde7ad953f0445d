/**
 * `deno task meander experiment`: starts, shows, stops and promotes experiments of a deployment, on its log or, with
 * `--url`, over the HTTP API of a service that has the log.
 *
 *     deno task meander experiment start greener.json --url http://127.0.0.1:8080
 *     deno task meander experiment status
 */

import { type Command, InvalidArgumentError } from "commander";
import { type ExperimentRecord, isExperiment } from "../src/assignment/experiment.ts";
import { HOLDOUT } from "../src/assignment/holdout.ts";
import { USER_SEGMENTS } from "../src/experiments/totals.ts";
import { METRICS } from "../src/assignment/metrics.ts";
import { keysOf } from "../src/values/record.ts";
import { ExperimentClient } from "../streams/experiments/client.ts";
import type { OrderShares } from "../streams/experiments/followed.ts";
import { parseExperiment } from "../streams/experiments/record.ts";
import {
  deployedModels,
  type ExperimentChanges,
  ExperimentRegistry,
} from "../streams/experiments/registry.ts";
import {
  type ExperimentsView,
  type ExperimentView,
  ExperimentViews,
  type LiftView,
  namesOf,
  type SegmentView,
} from "../streams/experiments/views.ts";
import { KEY_VARIABLE } from "../streams/http/contract/settings.ts";
import { servingTopics } from "../streams/topics/serving.ts";
import {
  commandArguments,
  commandName,
  createCommand,
  print,
  runCommand,
  subcommand,
} from "./flags/command_line.ts";
import { addLogFlags, type LogFlags } from "./flags/log_flags.ts";
import { openAlone } from "./flags/service_flags.ts";

interface Flags extends LogFlags {
  readonly url?: string;
  readonly keyFile?: string;
}

interface Deployment {
  readonly changes: ExperimentChanges;
  views(): Promise<ExperimentsView>;
}

type Action = (deployment: Deployment) => Promise<string>;

const program = createCommand(commandName("experiment"))
  .description(
    "Start, show, stop and promote experiments of a deployment; see docs/how-to/run-an-experiment.md.",
  );

let chosen: { readonly flags: Flags; readonly action: Action } | undefined;

function command(usage: string, about: string): Command {
  return addLogFlags(subcommand(program, usage, about))
    .option("--url <url>", "use the service at this URL, such as http://127.0.0.1:8080, instead of the log")
    .option(
      "--key-file <file>",
      `file with its key, which needs the scopes experiments and read (default: ${KEY_VARIABLE})`,
    );
}

function choose(command: Command, action: Action): void {
  chosen = { flags: command.opts<Flags>(), action };
}

command("start <file>", "start an experiment that a JSON file describes").action((file, _, self) =>
  choose(self, async ({ changes }) => {
    const draft = parseExperiment(await Deno.readTextFile(file), file);
    return render(await changes.start(draft));
  })
);
command("traffic <name> <percent>", "change the share of users in an experiment").action((
  name,
  percent,
  _,
  self,
) => choose(self, async ({ changes }) => render(await changes.traffic(name, share(percent)))));
command("stop <name> [reason...]", "stop an experiment").action((name, reason, _, self) =>
  choose(self, async ({ changes }) => render(await changes.stop(name, reason.join(" "))))
);
command("promote <name> <variant>", "give a variant to all users").action((name, variant, _, self) =>
  choose(self, async ({ changes }) => render(await changes.promote(name, variant)))
);
command("rollback <name> [reason...]", "undo a promotion").action((name, reason, _, self) =>
  choose(self, async ({ changes }) => render(await changes.rollBack(name, reason.join(" "))))
);
command(
  "holdout <percent>",
  "keep a share of users out of all experiments and promotions; a new share draws them anew",
).action((percent, _, self) =>
  choose(self, async ({ changes }) => render(await changes.holdout(share(percent))))
);
command("list", "list all experiments").action((_, self) =>
  choose(self, async ({ views }) => {
    const { experiments, holdout } = await views();
    const held = holdout === 0 ? [] : [holdoutLine(holdout)];
    return [...experiments.filter(({ name }) => name !== HOLDOUT).map(headLine), ...held].join("") ||
      "none\n";
  })
);
command("status [name]", "show figures and verdicts; with a name, every metric and segment")
  .option("--json", "print the result as JSON")
  .action((name, { json }, self) =>
    choose(self, async ({ views }) => {
      const { experiments } = await views();
      const known = experiments.filter((one) => name === undefined || one.name === name);
      if (known.length === 0 && name !== undefined) {
        const names = experiments.map((one) => one.name).join(", ") || "none";
        throw new Error(`Cannot find experiment ${name}: the experiments are ${names}`);
      }
      if (json) return `${JSON.stringify(known, null, 2)}\n`;
      const rendered = known.map((one) => renderStatus(one) + (name === undefined ? "" : renderDetails(one)));
      return rendered.join("\n") || "none\n";
    })
  );
function render(record: ExperimentRecord): string {
  if (!isExperiment(record)) return holdoutLine(record.share);
  const { winner = null, reason = null } = record;
  return headLine({ ...record, names: namesOf(record), winner, reason });
}

function holdoutLine(share: number): string {
  return `holdout: ${percentOf(share)} of all users\n`;
}

type Head = Pick<ExperimentView, "name" | "status" | "layer" | "traffic" | "names" | "winner" | "reason">;

function headLine({ name, status, layer, traffic, names, winner, reason }: Head): string {
  const more = [winner && `${winner} for all users`, reason].filter(Boolean).map((text) => `: ${text}`);
  if (name === HOLDOUT) return `${name}: ${status}; all users, ${names.join(" and ")}\n`;
  const share = status === "running" ? `${percentOf(traffic)} of ` : ""; // else all users have the winner, or none do
  return `${name}: ${status}${more.join("")}; ${share}layer ${layer}, ${names.join(" and ")}\n`;
}

function renderStatus(view: ExperimentView): string {
  const lines = view.variants.map(({ name, users, lists, value, took, orderedBy, lost }) =>
    `  ${name}: ${users} users, ${lists} lists, ${view.metric} ${figure(value)}, ${
      milliseconds(took.mean)
    } per answer (99 %: ${milliseconds(took.p99)}), ${lost} users lost${ordersText(orderedBy)}\n`
  );
  return [headLine(view), ...lines, splitLine(view), ...view.text.map((text) => `  ${text}\n`)].join("");
}

/** What ordered the lists of a variant: it need not be the variant's model. */
function ordersText(orderedBy: OrderShares): string {
  const shares = Object.entries(orderedBy).map(([by, share]) => `${by} ${percentOf(share)}`);
  return shares.length === 0 ? "" : `, ordered by ${shares.join(", ")}`;
}

/** The result of the test of the split, and its power. */
function splitLine({ split: { users, p, sees }, variants }: ExperimentView): string {
  if (variants.length < 2 || users.every((count) => count === 0)) return "";
  const blind = sees === null
    ? "too few users to detect losses"
    : `losses of at least ${percentOf(Number(sees.toPrecision(2)))} of a variant's users would be detected`;
  return `  split: ${users.join(" and ")} users, p = ${Number(p.toPrecision(2))}; ${blind}\n`;
}

/** Every metric by variant, and the deciding metric by segment. */
function renderDetails({ variants, metric }: ExperimentView): string {
  if (variants.length === 0) return "";
  const metrics = keysOf(METRICS).map((name) => {
    const values = variants.map((one) =>
      `${one.name} ${figure(one.metrics[name])}${liftText(one.lifts[name])}`
    );
    return `  ${name}: ${values.join(", ")} (${METRICS[name].about})\n`;
  });
  const segments = USER_SEGMENTS.map((segment) =>
    `  ${segment} users, ${metric}: ${
      variants.map((one) => `${one.name} ${segmentText(one.segments[segment])}`).join(", ")
    }\n`
  );
  return ["  by metric, the largest 1 % of users capped at the next one:\n", ...metrics, ...segments].join(
    "",
  );
}

function segmentText(segment: SegmentView): string {
  const { users, value } = segment;
  return `${figure(value)} of ${users}${liftText(segment)}`;
}

/** A change with its interval, once it has one. */
function liftText({ lift, low, high }: LiftView): string {
  if (lift === null || low === null || high === null) return "";
  return `, ${percentOf(lift)} [${percentOf(low)}, ${percentOf(high)}]`;
}

function figure(value: number | null): string {
  return value === null ? "-" : value.toPrecision(4);
}

function milliseconds(ms: number | null): string {
  return ms === null ? "-" : `${ms.toFixed(2)} ms`;
}

function share(text: string): number {
  const value = Number(text.replace(/\s*%$/, ""));
  if (!(value >= 0 && value <= 100)) {
    throw new InvalidArgumentError(`Not a percentage from 0 to 100: ${text}.`);
  }
  return value / 100;
}

function percentOf(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}

async function main(): Promise<number> {
  program.parse(commandArguments(), { from: "user" });
  if (chosen === undefined) return 1;
  const { flags, action } = chosen;
  if (flags.url !== undefined) {
    const key = flags.keyFile === undefined
      ? Deno.env.get(KEY_VARIABLE)
      : (await Deno.readTextFile(flags.keyFile)).trim();
    const client = new ExperimentClient(flags.url, { key });
    print(Deno.stdout, await action({ changes: client, views: () => client.views() }));
    return 0;
  }
  await using log = await openAlone(flags);
  const topics = await servingTopics(log, flags.prefix);
  const models = await deployedModels(log, topics);
  const changes = new ExperimentRegistry(log, topics, { models, now: Date.now });
  const views = new ExperimentViews(log, topics, Date.now);
  print(Deno.stdout, await action({ changes, views: () => views.views() }));
  return 0;
}

await runCommand(main);
