/**
 * Replaces methods for as long as a test needs it.
 *
 * @module
 */

/** Replaces the method `name` of `target` until it is disposed of. */
export function stub<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  method: Target[Name],
): Disposable {
  const before = target[name];
  target[name] = method;
  return {
    [Symbol.dispose]: () => {
      target[name] = before;
    },
  };
}
