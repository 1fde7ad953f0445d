import assert from "node:assert/strict";
import { Command, CommanderError } from "commander";
import { choice, count, flag, matching, number, text, wanted } from "../../../src/options/option.ts";
import { optionFlag } from "../../../scripts/flags/option_flags.ts";

const OPTIONS = {
  syncMs: number(1000, { above: 0, maximum: 5000 }, "until the disk confirms; see [the log](log.md)"),
  rows: count(64, "rows of a `batch`"),
  mode: choice(["fast", "safe"], "fast", "how"),
  isQuiet: flag(false, "says nothing"),
  places: matching("^[a-z]+:[0-9]+$", "wanted host:port", ["a:1"], "where"),
  caFile: wanted(text("a.pem", "certificates")),
};

function parsed(...args: string[]): Readonly<Record<string, unknown>> {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const [name, option] of Object.entries(OPTIONS)) command.addOption(optionFlag(name, option));
  return command.parse(args, { from: "user" }).opts();
}

Deno.test("optionFlag() has the name, the help and the default of its option", () => {
  const help = Object.entries(OPTIONS).map(([name, option]) => {
    const { flags, description } = optionFlag(name, option);
    return `${flags}: ${description}`;
  });
  assert.deepEqual(help, [
    "--sync-ms <ms>: until the disk confirms; see docs/reference/log.md (default: 1000)",
    "--rows <n>: rows of a batch (default: 64)",
    "--mode <what>: how (default: fast)",
    "--is-quiet: says nothing",
    "--places <list>: where (default: a:1)",
    "--ca-file <file>: certificates",
  ]);
  assert.equal(optionFlag("tls.caFile", OPTIONS.caFile).flags, "--tls-ca-file <file>");
});

Deno.test("optionFlag() yields nothing unless the flag is given, so that the configuration decides", () => {
  assert.deepEqual(parsed(), {});
  assert.deepEqual(parsed("--sync-ms", "50", "--is-quiet", "--mode", "safe"), {
    syncMs: 50,
    isQuiet: true,
    mode: "safe",
  });
});

Deno.test("optionFlag() enforces the bounds of its option", () => {
  for (const [name, wrong] of [["sync-ms", "0"], ["sync-ms", "5001"], ["sync-ms", ""], ["sync-ms", "x"]]) {
    assert.throws(() => parsed(`--${name}`, wrong ?? ""), /Not a number above 0, up to 5000/, wrong);
  }
  for (const wrong of ["0", "1.5", "-1", "1e99"]) {
    assert.throws(() => parsed("--rows", wrong), /Not a whole number above 0/);
  }
  assert.throws(() => parsed("--mode", "slow"), CommanderError);
  assert.deepEqual(parsed("--places", "a:1, b:2"), { places: ["a:1", "b:2"] });
  for (const wrong of ["a", "a:1,", "x://a:1"]) {
    assert.throws(() => parsed("--places", wrong), /".*": wanted host:port/, wrong);
  }
});
