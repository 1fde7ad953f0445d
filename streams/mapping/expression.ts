/**
 * JMESPath expressions, for what paths cannot express: `contexts[?kind == 'product'] | [0].id`, `price * quantity`.
 *
 * An expression takes time in proportion to the record: it loops only over parts of its input, and anything that would
 * multiply those is rejected: the root and variables within loops, long padding, joins with a separator from the
 * record, many selections of the same part.
 */

import { compile, TreeInterpreter } from "@jmespath-community/jmespath";
import { FORBIDDEN_KEYS } from "../../src/events/limits.ts";
import { reasonOf } from "../../src/values/reason.ts";

/** Most characters of an expression. */
const MAX_LENGTH = 1000;
/** Largest factor by which an expression may multiply its input. */
const MAX_GROWTH = 64;

/** Functions of JMESPath that take time in proportion to their arguments. */
const FUNCTIONS: ReadonlySet<string> = new Set(
  ("abs avg ceil contains ends_with find_first find_last floor from_items group_by items join keys length lower map " +
    "max max_by merge min min_by not_null reverse sort sort_by split starts_with sum to_array to_number to_string " +
    "trim trim_left trim_right type upper values zip").split(" "),
);

/** A node of a syntax tree. */
interface Node {
  readonly type: string;
  readonly name?: string;
  readonly children?: readonly Node[];
}

/**
 * Compiles an expression; it returns `undefined` for values for which it fails.
 *
 * @throws SyntaxError when it is malformed, or could take long
 */
export function compileExpression(expression: string): (value: unknown) => unknown {
  if (expression.length > MAX_LENGTH) {
    throw expressionError(expression, `it has ${expression.length} characters, ${MAX_LENGTH} are allowed`);
  }
  let tree: ReturnType<typeof compile>;
  try {
    tree = compile(expression);
  } catch (error) {
    throw expressionError(expression, reasonOf(error));
  }
  // The library's types of nodes do not describe their contents.
  const growth = growthOf(tree as unknown as Node, (why) => expressionError(expression, why));
  if (growth > MAX_GROWTH) {
    throw expressionError(
      expression,
      `it may make a record ${growth} times as large; at most ${MAX_GROWTH} times is allowed`,
    );
  }
  return (value) => {
    try {
      return TreeInterpreter.search(tree, value as never); // records are JSON
    } catch {
      return undefined; // such as a function of another type; the field counts as missing
    }
  };
}

/** How many copies of its input the result may hold. @param refuse makes an error with a reason */
function growthOf(tree: Node, refuse: (why: string) => SyntaxError): number {
  const own = ownGrowth(tree, refuse);
  if (tree.type === "Literal") return own;
  const inner = Object.values(tree).flat().filter(isNode); // lists of nodes, too
  return inner.reduce((growth, node) => growth * growthOf(node, refuse), own);
}

/** How many copies of its input a node makes. */
function ownGrowth({ type, name = "", children = [] }: Node, refuse: (why: string) => SyntaxError): number {
  const copies = Math.max(1, children.length);
  if (type === "Root" || type === "LetExpression" || type === "Variable") {
    throw refuse("$ and variables could go through a record many times");
  }
  if (type === "Field" && FORBIDDEN_KEYS.includes(name)) throw refuse(`no record may have a field ${name}`);
  if (type === "MultiSelectList" || type === "MultiSelectHash") return copies;
  if (type !== "Function") return 1;
  if (!FUNCTIONS.has(name)) {
    throw refuse(`there is no function ${name} here, only ${[...FUNCTIONS].join(", ")}`);
  }
  if (name === "join" && children[0]?.type !== "Literal") throw refuse("join takes a quoted text first");
  if (name === "to_string") return 2; // quotes are escaped
  return name === "merge" || name === "zip" ? copies : 1;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

function expressionError(expression: string, why: string): SyntaxError {
  return new SyntaxError(`Cannot take ${JSON.stringify(expression.slice(0, 200))} as an expression: ${why}`);
}
