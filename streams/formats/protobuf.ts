/**
 * Decodes Protobuf by the types of a schema. Values are those of Protobuf's JSON mapping, except that fields have the
 * names of the schema, 64-bit integers are numbers if these are exact, and `Timestamp` and `Duration` are whole
 * milliseconds. A missing field without presence has its default; one with presence stays missing.
 *
 * No code is generated from foreign schemas, and every size is checked against the remaining bytes.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/ and /programming-guides/field_presence/
 */

import type { Enum, Field, MapField, ReflectionObject, Type } from "protobufjs";
import { FORBIDDEN_KEYS } from "../../src/events/limits.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { DecodeError } from "./byte_input.ts";
import { ProtobufInput, WIRE } from "./protobuf_input.ts";
import { type ProtobufScalar, SCALARS } from "./protobuf_scalars.ts";
import { WELL_KNOWN } from "./protobuf_well_known.ts";

/** Reads a value of a type up to the end of the input. @throws DecodeError when it is not such a value */
export type ReadProtobuf = (input: ProtobufInput) => unknown;

type Fields = Record<string, unknown>;

/** Reads the next value of a field. */
type TakeField = (input: ProtobufInput, wire: number, into: Fields) => void;

/** Reads fields up to the end of the input, or of the group of this number, and merges them into earlier ones. */
type ReadFields = (input: ProtobufInput, group: number, before: unknown) => unknown;

/** How a value is read, and how it is represented. */
interface Reader extends ProtobufScalar {
  /** Whether repeated values may be packed, without tags. */
  readonly isPackable: boolean;
  /** Reads a value after an earlier one, into which a message is merged. */
  readonly readAfter: (input: ProtobufInput, before: unknown) => unknown;
}

interface Slot {
  readonly name: string;
  readonly take: TakeField;
}

/** The fields of a type. */
interface Layout {
  /** By number; large numbers are in `furtherSlots`. */
  readonly slots: readonly (Slot | undefined)[];
  readonly furtherSlots: ReadonlyMap<number, Slot>;
  /** Values of missing fields, with placeholders for lists and maps, which are made for each value. */
  readonly implicit: Readonly<Fields>;
  readonly implicitCount: number;
  readonly lists: readonly string[];
  readonly maps: readonly string[];
  readonly required: readonly string[];
  readonly convert: ((fields: Fields) => unknown) | undefined;
}

/**
 * Compiles a type of protobufjs. Types that it refers to are compiled at their first value.
 *
 * @returns its reader, which throws a SyntaxError for a field whose type is missing
 */
export function compileProtobuf(type: Type): ReadProtobuf {
  const read = fieldsOf(type, new Map());
  return (input) => read(input, 0, undefined);
}

function fieldsOf(type: Type, types: Map<Type, ReadFields>): ReadFields {
  const done = types.get(type);
  if (done !== undefined) return done;
  let layout: Layout | undefined;
  const read: ReadFields = (input, group, before) =>
    readFields(input, layout ??= layoutOf(type, types), group, before as Fields | undefined); // of a message
  types.set(type, read);
  return read;
}

function readFields(
  input: ProtobufInput,
  layout: Layout,
  group: number,
  before: Fields | undefined,
): unknown {
  const { slots, furtherSlots, implicitCount, lists, maps, required, convert } = layout;
  input.enter();
  input.count(1 + implicitCount);
  const fields: Fields = before ?? { ...layout.implicit };
  if (before === undefined) {
    for (let i = 0; i < lists.length; i++) fields[lists[i]!] = [];
    for (let i = 0; i < maps.length; i++) fields[maps[i]!] = {};
  }
  let slot: Slot | undefined;
  try {
    while (input.at < input.end || group !== 0) {
      slot = undefined;
      const tag = input.varint(), wire = tag & 7, number = tag >>> 3;
      if (number === 0) throw new DecodeError(`a field before byte ${input.at} has the number 0`);
      if (wire === WIRE.end && number === group) break;
      slot = number < slots.length ? slots[number] : furtherSlots.get(number);
      if (slot === undefined) input.skip(wire, number);
      else slot.take(input, wire, fields);
    }
  } catch (error) {
    throw error instanceof DecodeError && slot !== undefined ? error.within(slot.name) : error;
  }
  for (let i = 0; i < required.length; i++) {
    if (fields[required[i]!] !== undefined) continue;
    throw new DecodeError("it is required, but missing").within(required[i]!);
  }
  input.leave();
  return convert === undefined ? fields : convert(fields);
}

/** Field numbers below this are looked up in an array. */
const FEW = 256;
/** A message without fields, preceded by its size. */
const EMPTY = Uint8Array.of(0);

function layoutOf(type: Type, types: Map<Type, ReadFields>): Layout {
  const slots: (Slot | undefined)[] = [];
  const furtherSlots = new Map<number, Slot>();
  const implicit: Fields = {};
  const lists: string[] = [], maps: string[] = [];
  for (const field of type.fieldsArray) {
    const { name } = field;
    if (FORBIDDEN_KEYS.includes(name)) {
      throw new SyntaxError(`Cannot take the schema: no record may have a field ${name}`);
    }
    const reader = readerOf(resolved(field), field.type, field.delimited ? field.id : 0, types);
    let take: TakeField;
    if (isMap(field)) {
      maps.push(name);
      take = takeEntry(name, SCALARS[field.keyType], reader);
    } else if (field.repeated) {
      lists.push(name);
      take = takeElement(name, reader);
    } else {
      const others = field.partOf?.oneof.filter((other) => other !== name) ?? [];
      take = others.length === 0 ? takeOne(name, reader) : takeOneOf(name, others, reader);
    }
    const value = isMap(field) || field.repeated ? null : defaultOf(field, reader);
    if (value !== undefined) implicit[name] = value;
    if (field.id < FEW) slots[field.id] = { name, take };
    else furtherSlots.set(field.id, { name, take });
  }
  return {
    slots: Array.from(slots),
    furtherSlots,
    implicit,
    lists,
    maps,
    implicitCount: Object.keys(implicit).length,
    required: type.fieldsArray.filter((field) => field.required).map(({ name }) => name),
    convert: WELL_KNOWN[type.fullName],
  };
}

/** The type of a field; `null` for a scalar. @throws SyntaxError when it is missing */
function resolved(field: Field): ReflectionObject | null {
  try {
    return field.resolve().resolvedType;
  } catch (error) {
    const reason = reasonOf(error);
    throw new SyntaxError(`Cannot take the schema: field ${field.fullName.slice(1)}: ${reason}`);
  }
}

function isEnum(own: ReflectionObject): own is Enum {
  return "valuesById" in own;
}

function readerOf(
  own: ReflectionObject | null,
  scalar: string,
  group: number,
  types: Map<Type, ReadFields>,
): Reader {
  if (own === null) {
    const { wire, read, zero } = SCALARS[scalar]!;
    return { wire, read, zero, isPackable: wire !== WIRE.sized, readAfter: read };
  }
  if (isEnum(own)) {
    const { valuesById: names, values } = own;
    const name = (number: number) => names[number] ?? number;
    const read = (input: ProtobufInput) => name(input.varint() | 0);
    const first = Object.values(values)[0] ?? 0;
    return { wire: WIRE.varint, read, zero: name(first), isPackable: true, readAfter: read };
  }
  const fields = fieldsOf(own as Type, types); // what is neither is a message
  const sized = (input: ProtobufInput, before: unknown) => {
    const end = enterSized(input);
    const value = fields(input, 0, before);
    input.end = end;
    return value;
  };
  const readAfter = group === 0
    ? sized
    : (input: ProtobufInput, before: unknown) => fields(input, group, before);
  return {
    wire: group === 0 ? WIRE.sized : WIRE.start,
    read: (input) => readAfter(input, undefined),
    zero: undefined,
    isPackable: false,
    readAfter: WELL_KNOWN[own.fullName] === undefined ? readAfter : (input) => readAfter(input, undefined),
  };
}

/** Enters bytes that follow their size. @returns the end of the enclosing bytes */
function enterSized(input: ProtobufInput): number {
  const { end } = input;
  const start = input.take(input.size());
  input.end = input.at;
  input.at = start;
  return end;
}

/** The value of a missing field; `undefined` = it stays missing. */
function defaultOf(field: Field, { zero }: Reader): unknown {
  const declared: unknown = field.options?.["default"];
  if (declared !== undefined) return declared;
  return field.hasPresence ? undefined : zero;
}

function check(wire: number, wanted: number): void {
  if (wire !== wanted) throw new DecodeError(`its wire type is ${wire}, not ${wanted}`);
}

function takeOne(name: string, { wire: wanted, readAfter }: Reader): TakeField {
  return (input, wire, into) => {
    check(wire, wanted);
    into[name] = readAfter(input, into[name]);
  };
}

function takeOneOf(name: string, others: readonly string[], reader: Reader): TakeField {
  const take = takeOne(name, reader);
  return (input, wire, into) => {
    for (const other of others) if (into[other] !== undefined) delete into[other];
    take(input, wire, into);
  };
}

function takeElement(name: string, { wire: wanted, isPackable, read }: Reader): TakeField {
  return (input, wire, into) => {
    const list = into[name] as unknown[]; // readFields() begins with an empty one
    if (!isPackable || wire !== WIRE.sized) {
      check(wire, wanted);
      input.count(1);
      list.push(read(input));
      return;
    }
    const end = enterSized(input);
    while (input.at < input.end) list.push(read(input));
    input.end = end;
  };
}

function takeEntry(name: string, keys: ProtobufScalar | undefined, values: Reader): TakeField {
  if (keys === undefined) {
    throw new SyntaxError(`Cannot take the schema: ${name} has keys that are not scalars`);
  }
  return (input, wire, into) => {
    check(wire, WIRE.sized);
    input.count(1);
    const end = enterSized(input);
    let key = keys.zero, value: unknown;
    while (input.at < input.end) {
      const tag = input.varint();
      if (tag === (1 << 3 | keys.wire)) key = keys.read(input);
      else if (tag === (2 << 3 | values.wire)) value = values.read(input);
      else input.skip(tag & 7, tag >>> 3);
    }
    input.end = end;
    if (FORBIDDEN_KEYS.includes(String(key))) throw new DecodeError(`no record may have a field ${key}`);
    const entries = into[name] as Fields; // readFields() begins with an empty one
    entries[String(key)] = value ?? values.zero ?? emptyOf(values, input);
  };
}

/** A message without bytes, whose fields count towards the record's. */
function emptyOf(values: Reader, input: ProtobufInput): unknown {
  const none = new ProtobufInput(EMPTY);
  const value = values.read(none);
  input.count(none.values);
  return value;
}

function isMap(field: Field): field is Field & MapField {
  return field.map;
}
