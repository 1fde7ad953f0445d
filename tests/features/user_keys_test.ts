import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KEY_NUMBERS, MAX_KEYS, UserKeys } from "../../src/features/user_keys.ts";

/** Numbers of a key, as the test's model keeps them. */
type Numbers = Record<keyof typeof KEY_NUMBERS, number>;

test("UserKeys is a map of bounded size that drops the least recently touched key", () => {
  // A few keys that come often, and many that push others out.
  const key = fc.oneof(fc.nat(5), fc.nat(3 * MAX_KEYS)).map((n) => `category\0${n}`);
  fc.assert(
    fc.property(fc.array(key, { maxLength: 5 * MAX_KEYS }), fc.nat(200), (touched, room) => {
      const keys = new UserKeys(room);
      const model = new Map<string, Numbers>();
      for (const [n, key] of touched.entries()) {
        const known = model.get(key);
        const at = keys.touch(key);
        equal(keys.find(key), at);
        equal(keys.numbers[at + KEY_NUMBERS.outcomes], known?.outcomes ?? 0);
        keys.numbers[at + KEY_NUMBERS.outcomes]!++;
        keys.numbers[at + KEY_NUMBERS.residual] = n / 2;
        keys.numbers[at + KEY_NUMBERS.recent] = -n;
        keys.numbers[at + KEY_NUMBERS.values]! += 2;
        keys.numbers[at + KEY_NUMBERS.valueResidual] = 1 / (n + 1);
        model.delete(key);
        const [outcomes, values] = [(known?.outcomes ?? 0) + 1, (known?.values ?? 0) + 2];
        model.set(key, { outcomes, residual: n / 2, recent: -n, values, valueResidual: 1 / (n + 1) });
        if (model.size > MAX_KEYS) {
          for (const oldest of model.keys()) {
            model.delete(oldest);
            break;
          }
        }
      }
      const entries: [string, Numbers][] = [];
      keys.forEach((key, at) => {
        const numbers = Object.entries(KEY_NUMBERS).map(([name, n]) => [name, keys.numbers[at + n]!]);
        entries.push([key, Object.fromEntries(numbers) as Numbers]);
      });
      deepEqual(entries, [...model]);
      equal(keys.size, model.size);
      for (const key of touched) equal(keys.find(key) >= 0, model.has(key));
      equal(keys.find("category\0none"), -1);
    }),
  );
});
