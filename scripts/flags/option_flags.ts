/**
 * Flags of options that a configuration also has: name, help, default and bounds are those of the declaration. A flag
 * has no default of its own, so that the configuration applies where it is not given.
 */

import { InvalidArgumentError, Option as Flag } from "commander";
import type { Bounds, Option, OptionKind } from "../../src/options/option.ts";
import { DEFAULT_MODEL, MODEL_NAMES } from "../../src/nn/models/registry.ts";
import { plainText } from "./plain_text.ts";

/**
 * The flag of an option.
 *
 * @param path its path in the configuration: `tls.caFile` becomes `--tls-ca-file`
 * @param about what it means, if the help differs from the configuration's page
 */
export function optionFlag(path: string, option: Option<unknown>, about: string = option.about): Flag {
  const { kind, value, words } = option;
  const fallback = words ?? (value === undefined ? "" : String(value));
  const help = plainText(about) +
    (fallback === "" || placeOf(path, kind) === "" ? "" : ` (default: ${plainText(fallback)})`);
  const flag = new Flag(`--${kebab(path)}${placeOf(path, kind)}`, help);
  if (kind.kind === "choice") return flag.choices([...kind.of]);
  if (kind.kind === "number") return flag.argParser((text: string) => numberOf(text, kind));
  if (kind.kind === "list") return flag.argParser((text: string) => entriesOf(text, kind.of));
  return flag;
}

/** The flag of the deployment's model. */
export function modelFlag(about = "model that scores and learns"): Flag {
  return new Flag("--model <name>", about).choices([...MODEL_NAMES]).default(DEFAULT_MODEL);
}

/** The placeholder for its value in the help. */
function placeOf(path: string, kind: OptionKind): string {
  if (kind.kind === "flag" || kind.kind === "switch") return "";
  if (kind.kind === "list") return " <list>";
  if (kind.kind === "number") return path.endsWith("Ms") ? " <ms>" : " <n>";
  return path.endsWith("File") ? " <file>" : kind.kind === "choice" ? " <what>" : " <text>";
}

function numberOf(
  text: string,
  { isInteger, bounds }: Extract<OptionKind, { readonly kind: "number" }>,
): number {
  const value = text.trim() === "" ? NaN : Number(text);
  const { minimum = -Infinity, maximum = Infinity, above = -Infinity, below = Infinity } = bounds;
  const fits = value >= minimum && value <= maximum && value > above && value < below;
  if (fits && (!isInteger || Number.isSafeInteger(value))) return value;
  throw new InvalidArgumentError(`Not a ${isInteger ? "whole number" : "number"}${inWords(bounds)}.`);
}

function entriesOf(text: string, of: OptionKind): readonly string[] {
  const entries = text.split(",").map((entry) => entry.trim());
  const { source = "", message = "" } = of.kind === "text" ? of.pattern ?? {} : {};
  const wrong = entries.find((entry) => !new RegExp(source, "u").test(entry));
  if (wrong === undefined) return entries;
  throw new InvalidArgumentError(`${JSON.stringify(wrong)}: ${message}.`);
}

function inWords({ minimum, maximum, above, below }: Bounds): string {
  const parts = [
    above === undefined ? "" : `above ${above}`,
    minimum === undefined ? "" : `from ${minimum} up`,
    below === undefined ? "" : `below ${below}`,
    maximum === undefined ? "" : `up to ${maximum}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` ${parts.join(", ")}`;
}

function kebab(path: string): string {
  return path.replaceAll(".", "-").replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
}
