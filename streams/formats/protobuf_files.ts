/**
 * Adds the files of a Protobuf schema to its root: as text, or as the descriptor that clients without text register.
 */

import type protobufjs from "protobufjs";
import type { NamespaceBase, ReflectionObject, Root, Type } from "protobufjs";
import type { IDescriptorProto, IFileDescriptorProto } from "protobufjs/ext/descriptor.js";

export type Protobufjs = typeof protobufjs;

/** A type and its nested types, in the order by which records index them. */
export interface PlacedType {
  /** The type; `undefined` for the entries of a map. */
  readonly type: Type | undefined;
  readonly within: () => readonly PlacedType[];
}

/** Most fields, options and types within a pair of braces, and most fields of a type in a descriptor. */
const MAX_SET = 2000;
/** Editions by `FileDescriptorProto.edition`. */
const EDITIONS: Readonly<Record<number, string>> = { 1000: "2023", 1001: "2024" };

/** Adds the text of a file. @returns its types @throws Error when it is invalid */
export function addText(text: string, root: Root, { parse, Type }: Protobufjs): readonly PlacedType[] {
  checkWidth(text);
  const isType = (child: ReflectionObject): child is Type => child instanceof Type;
  const before = new Set(typesOf(root, isType));
  const path = parse(text, root, { keepCase: true }).package ?? "";
  const all = path === "" ? root : root.lookup(path) as NamespaceBase; // a package is one
  const placed = (type: Type): PlacedType => ({
    type,
    within: () => type.nestedArray.filter(isType).map(placed),
  });
  return all.nestedArray.filter(isType).filter((type) => !before.has(type)).map(placed);
}

/**
 * Adds the descriptor of a file. The indices of types count the entries of maps as types, as the descriptor does.
 *
 * @param base64 a `FileDescriptorProto`
 * @returns its types
 * @throws Error when it is invalid
 */
export async function addDescriptor(
  base64: string,
  root: Root,
  { Type, Enum }: Protobufjs,
): Promise<readonly PlacedType[]> {
  const { default: descriptor } = await import("protobufjs/ext/descriptor.js");
  const bytes = Uint8Array.fromBase64(base64);
  const file = descriptor.FileDescriptorProto.decode(bytes) as IFileDescriptorProto; // the library types any message
  const { syntax, edition } = file;
  const context = { edition: EDITIONS[Number(edition)] ?? (syntax || "proto2"), keepCase: true };
  const all = file.package ? root.define(file.package) : root;
  const placed = (of: IDescriptorProto, type: Type | undefined): PlacedType => ({
    type,
    within: () =>
      (of.nestedType ?? []).map((own) => {
        const inner = own.options?.mapEntry ? null : type?.get(own.name ?? "");
        return placed(own, inner instanceof Type ? inner : undefined);
      }),
  });
  const types = (file.messageType ?? []).map((own) => {
    checkFields(own);
    const type = Type.fromDescriptor(own, context);
    all.add(type);
    return placed(own, type);
  });
  for (const own of file.enumType ?? []) all.add(Enum.fromDescriptor(own, context));
  return types;
}

function checkFields({ name, field = [], nestedType = [] }: IDescriptorProto): void {
  if (field.length > MAX_SET) throw new SyntaxError(`${name} has more than ${MAX_SET} fields`);
  nestedType.forEach(checkFields);
}

/** The types of all packages, without those within a type. */
function* typesOf(
  root: NamespaceBase,
  isType: (child: ReflectionObject) => child is Type,
): Generator<Type> {
  const open: NamespaceBase[] = [root];
  for (let own = open.pop(); own !== undefined; own = open.pop()) {
    for (const child of own.nestedArray) {
      if (isType(child)) yield child;
      else if ("nestedArray" in child) open.push(child as NamespaceBase); // which has `nestedArray`
    }
  }
}

/** Comments, strings, words, and what separates them. Each text matches in one way only, also one that is cut off. */
const TOKENS =
  /\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|'[^'\\]*(?:\\[^][^'\\]*)*(?:'|\\?$)|\w+|[{};=:,]/g;

/**
 * Counts the entries within each pair of braces: the library's time is quadratic in the fields of a type, and in the
 * entries of an option.
 *
 * @throws SyntaxError when there are too many
 */
function checkWidth(text: string): void {
  const counts = [0], kinds: string[] = [];
  /** Fields of all extensions, and the first word of a statement. */
  let extended = 0, first = "";
  const add = (count: number) => counts.push(checked((counts.pop() ?? 0) + count));
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "}") {
      const count = counts.pop() ?? 0, kind = kinds.pop();
      if (kind === "oneof") add(count); // fields of the type around it
      else if (kind === "extend") extended = checked(extended + count);
      first = "";
    } else if (token === "{") {
      add(1);
      counts.push(0);
      kinds.push(first);
      first = "";
    } else if (token === ";") first = "";
    else if ("=:,".includes(token)) add(1);
    else if (!/^["'/]/.test(token)) first ||= token;
  }
}

function checked(count: number): number {
  if (count <= MAX_SET) return count;
  throw new SyntaxError(`it has more than ${MAX_SET} fields, options and types within a pair of braces`);
}
