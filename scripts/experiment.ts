/**
 * `deno task experiment`: starts, watches, stops and promotes experiments of a deployment.
 *
 *     deno task experiment start greener.json
 *     deno task experiment status
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { type ExperimentRecord, isExperiment } from "../src/experiments/experiment.ts";
import { METRICS } from "../src/experiments/user_metrics.ts";
import { splitVariants } from "../src/experiments/assignment.ts";
import { ExperimentMonitor, type ExperimentStatus } from "../streams/experiments/monitor.ts";
import { parseExperiment } from "../streams/experiments/record.ts";
import { deployedModels, ExperimentRegistry } from "../streams/experiments/registry.ts";
import type { Log } from "../streams/log/log.ts";
import { topicNames, type Topics } from "../streams/topics.ts";
import { count, print, runCommand } from "./command_line.ts";
import { addLogFlags, type LogFlags, openLog } from "./service_flags.ts";

/** Somebody waits for the answer: brokers that are away are not waited for long. */
const RETRY_MS = 10_000;

interface Deployment {
  readonly log: Log;
  readonly topics: Topics;
  readonly registry: ExperimentRegistry;
}

type Action = (deployment: Deployment) => Promise<string>;

const program = new Command("deno task experiment")
  .description("Starts, watches, stops and promotes experiments of a deployment; see docs/experiments.md.")
  .showHelpAfterError();

let chosen: { readonly flags: LogFlags; readonly action: Action } | undefined;

function command(usage: string, about: string): Command {
  return addLogFlags(program.command(usage).description(about));
}

function choose(command: Command, action: Action): void {
  chosen = { flags: command.opts<LogFlags>(), action };
}

command("start <file>", "start an experiment that a JSON file describes").action((file, _, self) =>
  choose(self, async ({ registry }) => {
    const draft = parseExperiment(await Deno.readTextFile(file), file);
    return render(await registry.start(draft));
  })
);
command("traffic <name> <percent>", "change the share of users that are in it").action((
  name,
  percent,
  _,
  self,
) => choose(self, async ({ registry }) => render(await registry.traffic(name, share(percent)))));
command("stop <name> [reason...]", "stop it, or take its promotion back").action((name, reason, _, self) =>
  choose(self, async ({ registry }) => render(await registry.stop(name, reason.join(" "))))
);
command("promote <name> <variant>", "give everybody a variant").action((name, variant, _, self) =>
  choose(self, async ({ registry }) => render(await registry.promote(name, variant)))
);
command("holdout <percent>", "keep a share of all users out of every experiment").action((percent, _, self) =>
  choose(self, async ({ registry }) => render(await registry.holdout(share(percent))))
);
command("list", "all experiments").action((_, self) =>
  choose(
    self,
    async ({ registry }) => [...(await registry.records()).values()].map(render).join("") || "none\n",
  )
);
command("status [name]", "figures and verdicts").action((name, _, self) =>
  choose(self, async ({ log, topics, registry }) => {
    const monitor = await ExperimentMonitor.open(log, topics, registry);
    await monitor.update();
    const known = monitor.status().filter(({ experiment }) => name === undefined || experiment.name === name);
    if (known.length === 0) throw new Error(`Cannot find experiment ${name ?? ""}: there is none`);
    return known.map(renderStatus).join("\n");
  })
);
command("watch", "print verdicts, and stop what breaks a guard rail, until it is interrupted")
  .option("--every <seconds>", "time between two looks", count, 60)
  .action((options, self) =>
    choose(self, async ({ log, topics, registry }) => {
      const monitor = await ExperimentMonitor.open(log, topics, registry);
      for (;;) {
        await monitor.update();
        print(Deno.stdout, monitor.status().map(renderStatus).join("\n"));
        for (const one of await monitor.stopHarmful(registry)) print(Deno.stdout, `stopped: ${render(one)}`);
        await delay(1000 * options.every);
      }
    })
  );

function render(record: ExperimentRecord): string {
  if (!isExperiment(record)) return `holdout: ${percentOf(record.share)} of all users\n`;
  const { name, status, layer, traffic, variants, winner, reason } = record;
  const more = [winner && `${winner} for everybody`, reason].filter(Boolean).map((text) => `: ${text}`).join(
    "",
  );
  return `${name}: ${status}${more}; ${percentOf(traffic)} of layer ${layer}, ` +
    `${variants.map((v) => v.shadow === true ? `${v.name} (shadow)` : v.name).join(" and ")}\n`;
}

function renderStatus(
  { experiment, verdicts, preference, totals, tookMicros, lost }: ExperimentStatus,
): string {
  const lines = [render(experiment).trimEnd()];
  for (const [v, { name }] of splitVariants(experiment).entries()) {
    const moments = totals.moments(v);
    const { of, per } = METRICS[experiment.metric];
    const value = moments.total(of) / moments.total(per);
    const took = tookMicros[v];
    lines.push(
      `  ${name}: ${moments.users} users, ${moments.total("lists")} lists, ${experiment.metric} ` +
        `${Number.isFinite(value) ? value.toPrecision(4) : "-"}, ` +
        `${took === null || took === undefined ? "-" : (took / 1000).toFixed(2)} ms an answer, ${
          lost[v] ?? 0
        } users lost`,
    );
  }
  for (const { text } of verdicts) lines.push(`  ${text}`);
  if (preference !== null) {
    const { users, value, interval, wins } = preference;
    const [a, b] = splitVariants(experiment).map(({ name }) => name);
    const words = interval.low > 0
      ? `${b} is preferred`
      : interval.high < 0
      ? `${a} is preferred`
      : "cannot say yet";
    lines.push(
      `  ${words}: ${value.toFixed(3)} [${interval.low.toFixed(3)}, ${
        interval.high.toFixed(3)
      }] of ${users} users, ` +
        `${wins[0]} for ${a}, ${wins[1]} for ${b}, ${wins[2]} ties`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function share(text: string): number {
  const value = Number(text.replace(/\s*%$/, ""));
  if (!Number.isFinite(value)) throw new InvalidArgumentError("Not a percentage.");
  return value / 100;
}

function percentOf(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}

async function main(): Promise<number> {
  program.parse(Deno.args, { from: "user" });
  if (chosen === undefined) return 1;
  const { flags, action } = chosen;
  if (flags.log === "sqlite") await Deno.stat(flags.logPath); // opening would create it
  await using log = await openLog(flags, RETRY_MS);
  const topics = topicNames(flags.prefix);
  const models = await deployedModels(log, topics);
  const registry = new ExperimentRegistry(log, topics, { models, now: Date.now });
  print(Deno.stdout, await action({ log, topics, registry }));
  return 0;
}

await runCommand(main);
