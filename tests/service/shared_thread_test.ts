import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { setImmediate as turn } from "node:timers/promises";
import { SharedThread } from "../../streams/service/jobs/shared_thread.ts";

Deno.test("SharedThread.giveWay() after short steps lets socket data be seen within 15 steps", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await listener.accept();
  let [time, most] = [0, 0];
  const thread = new SharedThread(() => time);
  for (let n = 0; n < 20; n++) {
    let seen = false;
    const reading = server.read(new Uint8Array(1)).then(() => seen = true);
    await client.write(Uint8Array.of(1));
    let worked = 0;
    for (; !seen; worked++) {
      time++;
      await thread.giveWay(1);
    }
    most = Math.max(most, worked);
    await reading;
  }
  // Three turns of the event loop per step would make it 20 or more: every 61st looks at the sockets.
  assert.ok(most <= 15, `${most} steps`);
});

Deno.test("SharedThread.giveWay() waits for work in the foreground, at most twice as long as the step took", async () => {
  let time = 0;
  const thread = new SharedThread(() => time += 0.01); // a turn that takes no time
  await thread.giveWay(0);
  const idle = time;
  await thread.giveWay(20);
  const free = time - idle;
  assert.ok(free < 1, `${free} ms with nothing to do`);
  {
    using _taking = thread.enter();
    const begun = time;
    await thread.giveWay(20);
    assert.ok(Math.abs(time - begun - 40) < 1, `${time - begun} ms`);
    await thread.giveWay(1000);
    assert.ok(time - begun - 40 < 60, "but not for ever");
    await thread.giveWay(0);
    assert.ok(time - begun > 90, "and a minimum after the shortest step");
  }
  const begun = time;
  await thread.giveWay(20);
  assert.ok(time - begun < 1, "it is over");
});

Deno.test("SharedThread.giveWay() ends as soon as all foreground work has been disposed of", async () => {
  const thread = new SharedThread(() => 0); // no time that would end it
  const taking = thread.enter();
  const other = thread.enter();
  taking[Symbol.dispose]();
  taking[Symbol.dispose]();
  let over = false;
  const giving = thread.giveWay(1000).then(() => over = true);
  for (let turns = 0; turns < 200; turns++) await turn(); // it looks at sockets for 64
  assert.equal(over, false, "the other goes on");
  other[Symbol.dispose]();
  await giving;
});

Deno.test("SharedThread.giveWay() does not wait long for slow foreground work, such as a body that trickles in", async () => {
  let time = 0;
  const thread = new SharedThread(() => time += 0.01);
  using _slow = thread.enter();
  const waited = async () => {
    const begun = time;
    await thread.giveWay(20);
    return time - begun;
  };
  assert.ok(await waited() > 30);
  time += 200;
  assert.ok(await waited() < 1);
  using _next = thread.enter();
  assert.ok(await waited() > 30, "but for what comes next");
});

Deno.test("SharedThread.slices() yields the thread after 20 ms of work, and not before", async () => {
  let time = 0;
  const rest = new SharedThread(() => time).slices();
  let turns = 0;
  setImmediate(() => turns++);
  for (; time < 19; time++) await rest();
  assert.equal(turns, 0);
  time = 20;
  await rest();
  assert.equal(turns, 1);
});
