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
