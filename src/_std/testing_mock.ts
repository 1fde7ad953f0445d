/**
 * The part of `@std/testing/mock` that this project uses, over npm's sinon. Same names and signatures; to use
 * the real package, change its line in deno.json.
 *
 * @module
 */

import assert, { AssertionError } from "node:assert/strict";
import sinon from "sinon";

/** One call of a spy. */
export interface SpyCall<Args extends unknown[] = unknown[], Return = unknown> {
  /** What it was given. */
  readonly args: Args;
  /** Absent when the call threw. */
  readonly returned?: Return;
  /** What it threw. */
  readonly error?: Error;
}

/** A function that remembers its calls. */
export interface Spy<Args extends unknown[] = unknown[], Return = unknown> {
  (...args: Args): Return;
  /** All calls so far, oldest first. */
  readonly calls: SpyCall<Args, Return>[];
  /** Whether what it replaced is back in place. */
  readonly restored: boolean;
  /** Puts back what it replaced; a free-standing spy replaced nothing. */
  restore(): void;
}

/** A method replaced on its object, until restored or disposed of. */
export interface Stub<Args extends unknown[] = unknown[], Return = unknown>
  extends Spy<Args, Return>, Disposable {
  /** What is called instead of the original. */
  fake(...args: Args): Return;
}

/**
 * A function that behaves as `func` and remembers its calls.
 *
 * @example
 * ```ts
 * import { assertSpyCalls, spy } from "./testing_mock.ts";
 * import assert from "node:assert/strict";
 *
 * const double = spy((n: number) => 2 * n);
 * assert.equal(double(4), 8);
 * assertSpyCalls(double, 1);
 * assert.deepEqual(double.calls[0], { args: [4], returned: 8 });
 * ```
 */
export function spy<Args extends unknown[], Return>(func: (...args: Args) => Return): Spy<Args, Return>;
/** A function that does nothing and remembers its calls. */
export function spy(): Spy<unknown[], undefined>;
export function spy(func: (...args: unknown[]) => unknown = () => undefined): Spy {
  return watch(sinon.spy(func), () => {});
}

/**
 * Replaces the method `property` of `self` by `func`, or by a function that does nothing.
 *
 * @example
 * ```ts
 * import { stub } from "./testing_mock.ts";
 * import assert from "node:assert/strict";
 *
 * {
 *   using random = stub(Math, "random", () => 0.5);
 *   assert.equal(Math.random(), 0.5);
 *   assert.equal(random.calls.length, 1);
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
  const spied = watch(stubbed, () => stubbed.restore());
  return Object.assign(spied, {
    fake: func,
    [Symbol.dispose]: () => {
      if (!spied.restored) spied.restore();
    },
  });
}

interface SinonSpy {
  (...args: unknown[]): unknown;
  getCalls(): { readonly args: unknown[]; readonly exception?: Error; readonly returnValue: unknown }[];
}

function watch(spied: SinonSpy, putBack: () => void): Spy {
  let restored = false;
  const spy = (...args: unknown[]) => spied(...args);
  Object.defineProperties(spy, {
    calls: {
      get: () =>
        spied.getCalls().map(({ args, exception: error, returnValue: returned }) =>
          error === undefined ? { args, returned } : { args, error }
        ),
    },
    restored: { get: () => restored },
    restore: {
      value: () => {
        if (restored) throw new Error("Cannot restore the spy: it has been restored already");
        putBack();
        restored = true;
      },
    },
  });
  return spy as Spy;
}

/** Asserts that a spy was called `expectedCalls` times. @throws AssertionError */
export function assertSpyCalls<Args extends unknown[], Return>(
  spy: Spy<Args, Return>,
  expectedCalls: number,
): void {
  const actual = spy.calls.length;
  if (actual === expectedCalls) return;
  throw new AssertionError({
    message: `Spy was called ${actual} times, expected ${expectedCalls}`,
    actual,
    expected: expectedCalls,
  });
}

/** Asserts what the call `callIndex` of a spy was given, and perhaps what it returned. @throws AssertionError */
export function assertSpyCall<Args extends unknown[], Return>(
  spy: Spy<Args, Return>,
  callIndex: number,
  expected: { readonly args?: Args; readonly returned?: Return } = {},
): void {
  const call = spy.calls[callIndex];
  assert.ok(call !== undefined, `Spy has no call ${callIndex}: it was called ${spy.calls.length} times`);
  if (expected.args !== undefined) assert.deepEqual(call.args, expected.args);
  if ("returned" in expected) assert.deepEqual(call.returned, expected.returned);
}
