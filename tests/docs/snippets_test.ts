/**
 * Snippets that cannot be run here, since they need hours or external data: their flags exist, and their JSON is what
 * it claims to be.
 */

import assert from "node:assert/strict";
import { checkEvent, checkItem, checkRecommendation } from "../../src/events/check.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { parseExperiment } from "../../streams/experiments/record.ts";
import { withoutComments } from "../../streams/settings/json_comments.ts";
import { policySchema } from "../../streams/settings/policy_schema.ts";
import { blocks, pages, readPage, ROOT } from "./pages.ts";

/** Calls of tasks on a page: `deno task NAME ARGUMENTS`, with continuation lines. */
function callsOn(page: string): readonly (readonly string[])[] {
  return blocks(page, "sh").flatMap((block) =>
    block.replaceAll(/\\\n/g, " ").split("\n").flatMap((line) => {
      const [, call] = /deno(?:@[\d.]+)? task (?:-q )?([^#|&>]*)/.exec(line) ?? [];
      return call === undefined ? [] : [call.trim().split(/\s+/)];
    })
  );
}

/** What commands print, by call: calls of one command by as many processes, others by one, see helps.ts. */
async function helpsOf(calls: readonly (readonly string[])[]): Promise<ReadonlyMap<string, string>> {
  const commandOf = (call: readonly string[]) => call.slice(0, 2).join(" ");
  const rounds: (readonly string[])[][] = [];
  for (const call of new Map(calls.map((call) => [call.join(" "), call])).values()) {
    // Others than scripts, such as benches, ask for help only as the main module.
    const round = rounds.find(([first = [], ...others]) =>
      [first, call].every(([file = ""]) => file.startsWith("scripts/")) &&
      [first, ...others].every((other) => commandOf(other) !== commandOf(call))
    );
    if (round === undefined) rounds.push([call]);
    else round.push(call);
  }
  const helps = await Promise.all(rounds.map(async (round) => {
    const [only = [], ...others] = round;
    const call = others.length === 0 ? only : ["tests/docs/helps.ts", JSON.stringify(round)];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", "--no-check", ...call],
      cwd: ROOT,
    }).output();
    const told = new TextDecoder().decode(stdout);
    assert.notEqual(told, "", new TextDecoder().decode(stderr));
    const texts: readonly string[] = others.length === 0 ? [told] : JSON.parse(told);
    return round.map((call, n): [string, string] => [call.join(" "), texts[n] ?? ""]);
  }));
  return new Map(helps.flat());
}

Deno.test("docs use only flags that the help of their command has, which begins with an imperative", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))) as {
    readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  };
  const callOf = (name: string, words: readonly string[]): readonly string[] => {
    const [file = ""] = /[\w/]+\.ts/.exec(tasks[name]?.command ?? "") ?? [];
    const [command = "", verb = ""] = name === "meander" ? words : [];
    const subcommands = command === "experiment" ? [command, verb] : [command];
    return [file, ...subcommands.filter((word) => /^[a-z][a-z-]*$/.test(word)), "--help"];
  };
  const found: { readonly place: string; readonly call: readonly string[]; readonly flags: string[] }[] = [];
  let checked = 0;
  for (const page of await pages()) {
    for (const [name = "", ...rest] of callsOn(await readPage(page))) {
      const args = rest[0] === "--" ? rest.slice(1) : rest;
      const flags = args.flatMap((arg) => /^\[?(--[a-z][a-z-]*)/.exec(arg)?.[1] ?? []);
      // Commands that write files have no help, and few flags.
      if (flags.length === 0 || ["schemas", "fixtures", "kernels", "test"].includes(name)) continue;
      found.push({
        place: `${page}: deno task ${name} ${rest.join(" ")}`,
        call: callOf(name, args),
        flags,
      });
    }
  }
  const helps = await helpsOf(found.map(({ call }) => call));
  for (const [call, help] of helps) {
    if (call.startsWith("scripts/")) {
      assert.match(help, /^Usage: .*\n\n[A-Z][a-z]*[a-rt-z] [^]*?\.\n\n/, call);
    }
  }
  for (const { place, call, flags } of found) {
    for (const flag of flags) {
      assert.ok(helps.get(call.join(" "))?.includes(flag), `${place}: ${flag}`);
      checked++;
    }
  }
  assert.ok(checked > 40, `${checked} flags`);
});

/** What a JSON block may be, and the check of each kind. */
function kindsOf(text: string): readonly (() => void)[] {
  const value = JSON.parse(withoutComments(text)) as Readonly<Record<string, unknown>>;
  const must = (checked: { readonly ok: boolean }) => assert.ok(checked.ok, JSON.stringify(checked));
  return [
    () => must(checkEvent(value)),
    () => must(checkItem(value)),
    () => must(checkRecommendation(value)),
    () => void parseConfig(text, "meander.json"),
    () => void parseExperiment(text, "experiment.json"),
    () => void policySchema.parse(value),
    // Answers of the API, and the policy of an external log.
    () =>
      assert.ok(Array.isArray(value["refused"]) || String(value["type"]).startsWith("urn:meander:problem:")),
    () => assert.equal(value["name"], "bernoulli-thompson"),
  ];
}

Deno.test("every JSON block in the docs is a valid event, item, answer, configuration or the like", async () => {
  let checked = 0;
  for (const page of await pages()) {
    // Within a list, a block is indented.
    for (const block of blocks((await readPage(page)).replaceAll(/^ {2}(?=[`{}" ])/gm, ""), "json")) {
      const text = block.trimStart().startsWith('"') ? `{${block}}` : block;
      const errors: string[] = [];
      const isTaken = kindsOf(text).some((check) => {
        try {
          check();
          return true;
        } catch (error) {
          errors.push((error as Error).message);
          return false;
        }
      });
      assert.ok(isTaken, `${page}:\n${block}\n${errors.join("\n")}`);
      checked++;
    }
  }
  assert.ok(checked >= 10, `${checked} blocks`);
});
