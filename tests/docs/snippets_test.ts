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

Deno.test("docs use only flags that the help of their command has", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))) as {
    readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  };
  const helps = new Map<string, Promise<string>>();
  const helpOf = (name: string, words: readonly string[]) => {
    const [file = ""] = /[\w/]+\.ts/.exec(tasks[name]?.command ?? "") ?? [];
    const [command = "", verb = ""] = name === "meander" ? words : [];
    const subcommands = command === "experiment" ? [command, verb] : [command];
    const args = [...subcommands.filter((word) => /^[a-z][a-z-]*$/.test(word)), "--help"];
    const key = [file, ...args].join(" ");
    const help = helps.get(key) ??
      new Deno.Command(Deno.execPath(), { args: ["run", "-q", "-A", "--no-check", file, ...args], cwd: ROOT })
        .output().then(({ stdout, stderr }) =>
          new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)
        );
    helps.set(key, help);
    return help;
  };
  let checked = 0;
  for (const page of await pages()) {
    for (const [name = "", ...rest] of callsOn(await readPage(page))) {
      const args = rest[0] === "--" ? rest.slice(1) : rest;
      const flags = args.flatMap((arg) => /^\[?(--[a-z][a-z-]*)/.exec(arg)?.[1] ?? []);
      // Commands that write files have no help, and few flags.
      if (flags.length === 0 || ["schemas", "fixtures", "kernels", "test"].includes(name)) continue;
      const help = await helpOf(name, args);
      for (const flag of flags) {
        assert.ok(help.includes(flag), `${page}: deno task ${name} ${rest.join(" ")}: ${flag}`);
        checked++;
      }
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
