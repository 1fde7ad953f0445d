/** Readers of values: where each comes from and how it is converted, compiled once. */

import { shown } from "../events/rejected.ts";
import { isRecord } from "../values/record.ts";
import type { Coercion } from "./coerce.ts";
import type { Scalar, ValueSettings, ValueSpec } from "./mapping_options.ts";
import { MappingError, placed } from "./mapping_error.ts";
import { compilePath } from "./path.ts";
import { Misfit, type Reader, type Scope } from "./scope.ts";

/** Compiles an expression into a function of a value. @throws SyntaxError when it is malformed, or may run without bounds */
export type ExpressionCompiler = (expression: string) => (value: unknown) => unknown;

export interface Value {
  readonly read: Reader;
  /** Whether it depends on the entry of a list. */
  readonly isOfElement: boolean;
  /** Whether it is the result of an expression, which may be anything. */
  readonly isExpression: boolean;
  /** Where it comes from, for messages. */
  readonly words: string;
}

/** Compiles a value. @param at its place in the settings @throws MappingError */
export function compileValue(
  spec: ValueSpec,
  coercion: Coercion,
  at: readonly (string | number)[],
  expressions: ExpressionCompiler | undefined,
): Value {
  const settings: ValueSettings = typeof spec === "string" ? { path: spec } : spec;
  const { values, split, except, distinct, default: fallback } = settings;
  const source = sourceOf(settings, at, expressions);
  const convert: Coercion = distinct === true ? (value) => firstOfEqual(coercion(value)) : coercion;
  const constant = (value: Scalar | undefined) => {
    if (value === undefined || value === null) return undefined;
    try {
      return coercion(value);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      throw new MappingError(at, `it must be ${error.violation.wanted}: current value is ${shown(value)}`);
    }
  };
  if (settings.value !== undefined) return { ...source, read: always(constant(settings.value)) };
  const otherwise = constant(fallback);
  const steps: Coercion[] = [];
  if (values !== undefined && settings.first === undefined) steps.push(lookUp(values));
  if (split !== undefined) steps.push((value) => splitText(value, split));
  if (except !== undefined) steps.push((value) => without(value, except));
  const { read } = source;
  if (steps.length === 0) {
    return {
      ...source,
      read: (scope) => {
        const raw = read(scope);
        return raw === undefined ? otherwise : convert(raw) ?? otherwise;
      },
    };
  }
  return {
    ...source,
    read: (scope) => {
      let value = read(scope);
      for (let i = 0; i < steps.length && value !== undefined; i++) value = steps[i]!(value);
      return value === undefined ? otherwise : convert(value) ?? otherwise;
    },
  };
}

function always(value: unknown): Reader {
  return () => value;
}

/** Matches a brace that is not in quotes, which no path has. */
const TEMPLATE = /^[^"]*[{}]/;
const SOURCES = ["path", "first", "value", "template", "expression"] as const;

function sourceOf(
  settings: ValueSettings,
  at: readonly (string | number)[],
  expressions: ExpressionCompiler | undefined,
): Value {
  const given = SOURCES.filter((name) => settings[name] !== undefined);
  const { path, first, template, expression, values } = settings;
  if (given.length !== 1) {
    const got = given.length === 0 ? "none of them" : given.join(" and ");
    throw new MappingError(
      at,
      `exactly one of ${SOURCES.join(", ")} must say where the value comes from: it has ${got}`,
    );
  }
  const plain = { isExpression: false };
  if (path !== undefined) return { ...plain, ...placed(at, () => compilePath(path)), words: path };
  if (first !== undefined) {
    const paths = first.map((one) =>
      placed(at, () => TEMPLATE.test(one) ? compileTemplate(one) : compilePath(one))
    );
    const replace = values && lookUp(values);
    return {
      ...plain,
      read: (scope) => firstOf(paths, scope, replace),
      isOfElement: paths.some(({ isOfElement }) => isOfElement),
      words: first.join(" or "),
    };
  }
  if (template !== undefined) {
    return {
      ...plain,
      ...placed(at, () => compileTemplate(template)),
      words: template,
    };
  }
  if (expression !== undefined) {
    if (expressions === undefined) throw new MappingError(at, "expressions are not available here");
    const evaluate = placed(at, () => expressions(expression));
    return {
      read: ({ element }) => evaluate(element) ?? undefined,
      isOfElement: true,
      isExpression: true,
      words: expression,
    };
  }
  return { ...plain, read: always(settings.value), isOfElement: false, words: shown(settings.value) };
}

/** The first value that is present. @param replace replaces each value; those that it drops are skipped */
function firstOf(
  paths: readonly { readonly read: Reader }[],
  scope: Scope,
  replace: Coercion | undefined,
): unknown {
  for (let i = 0; i < paths.length; i++) {
    const found = paths[i]!.read(scope);
    if (found === undefined || found === "") continue;
    const value = replace === undefined ? found : replace(found);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** A text with paths in braces; a doubled brace stands for a single one. */
function compileTemplate(template: string): { readonly read: Reader; readonly isOfElement: boolean } {
  const parts: (string | ReturnType<typeof compilePath>)[] = [];
  let text = "";
  for (const [part] of template.matchAll(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g)) {
    if (part === "{" || part === "}") {
      throw new SyntaxError(
        `Cannot take ${JSON.stringify(template)} as a template: its braces do not match`,
      );
    }
    if (part === "{{" || part === "}}") text += part[0];
    else if (part.startsWith("{")) {
      parts.push(text, compilePath(part.slice(1, -1)));
      text = "";
    } else text += part;
  }
  if (text !== "") parts.push(text);
  return {
    isOfElement: parts.some((part) => typeof part === "object" && part.isOfElement),
    read: (scope) => {
      let whole = "";
      for (const part of parts) {
        if (typeof part === "string") whole += part;
        else {
          const value = part.read(scope);
          if (value === undefined || value === "") return undefined;
          if (typeof value === "object") {
            throw new Misfit({
              code: "wrong-type",
              wanted: "a template of texts",
              got: shown(value),
              path: "",
            });
          }
          whole += String(value);
        }
      }
      return whole;
    },
  };
}

/** Replaces values; one that is not listed stays as it is. */
function lookUp(values: Readonly<Record<string, Scalar>>): Coercion {
  const replacements = new Map(Object.entries(values));
  const other = replacements.get("*");
  const one: Coercion = (value) => {
    if (typeof value === "object") return value;
    const text = String(value);
    const replaced = replacements.has(text) ? replacements.get(text) : other === undefined ? value : other;
    return replaced ?? undefined;
  };
  return (value) => Array.isArray(value) ? value.map(one) : one(value);
}

function splitText(value: unknown, separator: string): unknown {
  if (typeof value !== "string") return value;
  return value.split(separator).map((entry) => entry.trim()).filter((entry) => entry !== "");
}

function firstOfEqual(value: unknown): unknown {
  return Array.isArray(value) ? [...new Set(value)] : value;
}

function without(value: unknown, names: readonly string[]): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}
