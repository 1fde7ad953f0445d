import assert from "node:assert/strict";
import { OrderCheck } from "../../streams/feeders/order_check.ts";

Deno.test("OrderCheck.see() reports the first behaviour that is too late for its user, and no other", () => {
  const order = new OrderCheck(1000);
  const see = (user: string, time: number, type: "interaction" | "forget" = "interaction") => {
    const behaviour = { type: "interaction" as const, user, time, item: "tent", action: "view" };
    return order.see({ kind: "event", event: type === "forget" ? { type, user, time } : behaviour });
  };
  assert.equal(order.see({ kind: "item", item: { item: "tent", time: 9000 } }), null);
  const seen = [
    see("ann", 5000),
    see("bob", 1000),
    see("ann", 4000),
    see("ann", 3000, "forget"),
    see("ann", 3999),
  ];
  assert.deepEqual(seen, [null, null, null, null, 1001]);
  assert.equal(see("bob", -9000), null);
});

Deno.test("OrderCheck.see() remembers the first 100,000 users", () => {
  const order = new OrderCheck(0);
  const see = (user: number, time: number) =>
    order.see({
      kind: "event",
      event: { type: "interaction", user: `${user}`, time, item: "i", action: "view" },
    });
  for (let user = 0; user <= 100_000; user++) assert.equal(see(user, 9), null);
  assert.deepEqual([see(100_000, 1), see(99_999, 1)], [null, 8]);
});
