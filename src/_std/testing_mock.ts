/**
 * The part of `@std/testing/mock` that this project uses, over npm's sinon. Same names and behaviour; to use the real
 * package, change its line in deno.json.
 *
 * @module
 */

import sinon from "sinon";

/** A method replaced on its object, until disposed of. */
export interface Stub<Args extends unknown[] = unknown[], Return = unknown> extends Disposable {
  (...args: Args): Return;
}

/**
 * Replaces the method `property` of `self` by `func`, or by a function that does nothing.
 *
 * @example
 * ```ts
 * import { stub } from "@std/testing/mock";
 * import assert from "node:assert/strict";
 *
 * {
 *   using _random = stub(Math, "random", () => 0.5);
 *   assert.equal(Math.random(), 0.5);
 * }
 * assert.notEqual(Math.random(), 0.5);
 * ```
 */
export function stub<Self extends object, Property extends keyof Self>(
  self: Self,
  property: Property,
  func?: Self[Property] extends (...args: infer Args) => infer Return ? (...args: Args) => Return : never,
): Self[Property] extends (...args: infer Args) => infer Return ? Stub<Args, Return> : never;
export function stub(
  self: Record<PropertyKey, unknown>,
  property: PropertyKey,
  func: (...args: unknown[]) => unknown = () => undefined,
): Stub {
  const stubbed = sinon.stub(self, property).callsFake(func);
  return Object.assign((...args: unknown[]) => stubbed(...args), {
    [Symbol.dispose]: () => stubbed.restore(),
  });
}
