/**
 * Objects whose names and values are typed.
 *
 * @module
 */

/** Whether a value is an object with names: neither `null` nor an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value of a field whose name is known at run time only. */
export function fieldOf(of: object, name: string): unknown {
  return (of as Readonly<Record<string, unknown>>)[name]; // no type lists the name
}

/** The names in an object that has no others than its type declares. */
export function keysOf<T extends object>(of: T): (keyof T & string)[] {
  return Object.keys(of) as (keyof T & string)[]; // `Object.keys` allows for more names than the type declares
}

export function recordOf<Name extends string, Value>(
  names: readonly Name[],
  valueOf: (name: Name, index: number) => Value,
): Record<Name, Value> {
  const entries = names.map((name, i) => [name, valueOf(name, i)] as const);
  return Object.fromEntries(entries) as Record<Name, Value>; // `fromEntries` forgets which names there are
}
