/** Who may call: by which host names, from which pages, with how many wrong keys; and invalid names and paths. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Access, digestOf } from "../../streams/http/contract/access.ts";
import { groupOf, isNetwork } from "../../streams/http/contract/clients.ts";
import { Callers } from "../../streams/http/callers.ts";
import type { Problem } from "../../streams/http/contract/problem.ts";
import { keysOf } from "../../streams/http/contract/settings.ts";
import { type Api, startApi } from "../server/deployment.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Sends what `fetch` would not, and returns status and code of the answer. */
async function raw(api: Api, target: string, headers: string, method = "GET"): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(api.url).port) });
  await connection.write(
    encoder.encode(`${method} ${target} HTTP/1.1\r\n${headers}connection: close\r\n\r\n`),
  );
  let text = "";
  const room = new Uint8Array(1 << 16);
  for (let read; (read = await connection.read(room)) !== null;) {
    text += decoder.decode(room.subarray(0, read));
  }
  const [, status] = /^HTTP\/1\.1 (\d+)/.exec(text) ?? [];
  const [, code = "-"] = /"code":"([a-z-]+)"/.exec(text) ?? [];
  return `${status} ${code}`;
}

const outcome = (act: () => void) => {
  try {
    act();
    return "fine";
  } catch (error) {
    return (error as Problem).code;
  }
};

Deno.test("a server without keys refuses foreign host names at any path", async () => {
  await using api = await startApi();
  for (const path of ["/v1/status", "/health", "/"]) {
    assert.equal(await raw(api, path, "host: evil.example\r\n"), "403 foreign-host");
    assert.equal(await raw(api, path, "host: localhost.evil.example:8080\r\n"), "403 foreign-host");
  }
  assert.equal(await raw(api, "/v1/users/ann", "host: evil.example\r\n", "DELETE"), "403 foreign-host");
  for (const name of ["localhost", "127.0.0.1:1", "127.8.9.1", "[::1]:80", "LOCALHOST.", "app.localhost"]) {
    assert.equal(await raw(api, "/v1/status", `host: ${name}\r\n`), "200 -", name);
  }
});

Deno.test("Callers takes configured hosts if there are any, else all behind keys or a network, else local ones", () => {
  const host = (options: Partial<ConstructorParameters<typeof Callers>[0]>, name: string) =>
    outcome(() => new Callers({ isOpen: true, ...options }).checkHost(name));
  assert.equal(host({}, "shop.example"), "foreign-host");
  assert.equal(host({ hosts: ["Shop.example"] }, "shop.example:8080"), "fine");
  assert.equal(host({ isOpen: false }, "shop.example"), "fine");
  assert.equal(host({ hostname: "0.0.0.0" }, "shop.example"), "fine");
  assert.equal(host({ hostname: "0.0.0.0", hosts: ["shop.example"] }, "evil.example"), "foreign-host");
  assert.equal(host({ hostname: "::1" }, "evil.example"), "foreign-host");
  assert.equal(host({ hostname: "::1" }, "[::1]:8080"), "fine");
  assert.equal(host({ isOpen: false, hosts: ["shop.example"] }, "evil.example"), "foreign-host");
});

Deno.test("an invalid host is a 400, and so is a path that is not valid UTF-8", async () => {
  await using api = await startApi({ cors: [] });
  for (
    const host of [
      "[::::]:99999999",
      "a b",
      "localhost:65536",
      "localhost:x",
      "@localhost",
      "[::1",
      "a/b",
      "",
    ]
  ) {
    assert.equal(await raw(api, "/v1/users/ann/explain?count=3", `host: ${host}\r\n`), "400 bad-host", host);
  }
  for (const path of ["/v1/users/%ff", "/v1/users/%", "/v1/items/%c3%28", "/v1/users/a%ED%A0%80"]) {
    assert.equal(await raw(api, path, "host: localhost\r\n", "DELETE"), "400 bad-parameter", path);
  }
  assert.equal(await raw(api, "/v1/users/%C3%A9", "host: localhost\r\n", "DELETE"), "200 -");
});

Deno.test("requests from pages of other origins are refused, including reads that write", async () => {
  await using api = await startApi({ doors: ["gorse", "metarank"], cors: ["https://shop.example"] });
  const host = new URL(api.url).host;
  const fine = [
    {},
    { "sec-fetch-site": "same-origin", origin: "https://behind.a.proxy" },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "cross-site", origin: "https://shop.example" },
    { origin: `http://${host}` },
  ];
  const foreign = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site", origin: "null" },
    { origin: "https://evil.example" },
    { origin: "null" },
  ];
  const paths = ["/api/recommend/ann?write-back-type=click", "/v1/status", "/v1/live", "/metrics"];
  for (const headers of foreign) {
    for (const path of paths) {
      const { status, json } = await api.get(path, headers as unknown as Record<string, string>);
      assert.deepEqual([status, json?.code], [403, "cross-site"], `${path} ${JSON.stringify(headers)}`);
    }
    const { status } = await api.request("/v1/users/ann", {
      method: "DELETE",
      headers: headers as HeadersInit,
    });
    assert.equal(status, 403);
  }
  for (const headers of fine) {
    const { status } = await api.get("/api/recommend/ann", headers as unknown as Record<string, string>);
    assert.equal(status, 200, JSON.stringify(headers));
  }
  // Pages may be linked to, so anybody may load them.
  assert.equal((await api.get("/", { "sec-fetch-site": "cross-site" })).status, 200);
});

Deno.test("Access allows an address few wrong keys, but always right ones", () => {
  let now = 0;
  const right = "0123456789abcdef";
  const keys = [right, "short"].map((key) => ({
    name: key,
    sha256: digestOf(key),
    scopes: ["read"] as const,
  }));
  const access = new Access({ keys, now: () => now });
  const tryKey = (key: string | null, address = "10.0.0.1") =>
    outcome(() => access.admit(new Headers(key === null ? {} : { "x-api-key": key }), "read", address));
  const answers = Array.from(
    { length: 100 },
    (_, n) => tryKey(n % 2 === 0 ? `${n}`.padStart(16, "g") : null),
  );
  assert.deepEqual([...new Set(answers)], ["unauthorized", "too-many-requests"]);
  assert.equal(answers.filter((code) => code === "unauthorized").length, 20);
  assert.equal(tryKey(right), "fine", "behind the same proxy as the one who guesses");
  assert.equal(tryKey(right.slice(1) + "0"), "too-many-requests");
  now += 2000;
  assert.deepEqual([tryKey("short"), tryKey(right)], ["unauthorized", "fine"], "a short key can be guessed");
  assert.throws(() => access.admit(new Headers({ "x-api-key": "short" }), "read", "10.0.0.2"), /at least 16/);
  assert.equal(tryKey("wrong-but-long-enough", "10.0.0.3"), "unauthorized");
});

const KEY = "0123456789abcdef";
const keys = [{ name: "shop", sha256: digestOf(KEY), scopes: ["read"] as const }];

/** Seconds after which a caller may retry; 0 = was admitted. */
function waitOf(access: Access, address: string, headers: HeadersInit = { "x-api-key": KEY }): number {
  try {
    access.admit(new Headers(headers), "read", address);
    return 0;
  } catch (error) {
    return Number((error as Problem).toResponse("").headers.get("retry-after"));
  }
}

Deno.test("Access admits as many calls as the rate allows, and says when the next one may come", () => {
  fc.assert(fc.property(
    fc.constantFrom([], keys),
    fc.constantFrom(0.1, 0.5, 1, 7, 60),
    fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 }),
    (keys, perSecond, burst, gaps) => {
      let now = 0;
      const access = new Access({ keys, rateLimit: { perSecond, burst }, now: () => now });
      const admitted: number[] = [];
      for (const gap of gaps) {
        now += gap;
        const wait = waitOf(access, "caller");
        if (wait === 0) admitted.push(now);
        if (wait > 1 && gap % 3 === 0) {
          now += 1000 * (wait - 1) - 1;
          assert.notEqual(waitOf(access, "caller"), 0, "more than a second too early");
        }
        if (wait > 0 && gap % 2 === 0) {
          now += 1000 * wait;
          assert.equal(waitOf(access, "caller"), 0, "after the wait that it was told");
          admitted.push(now);
        }
      }
      const most = burst ?? Math.max(1, perSecond);
      assert.ok(admitted.length >= Math.min(gaps.length, 1));
      for (const [at, from] of admitted.entries()) {
        for (const [n, to] of admitted.slice(at).entries()) {
          assert.ok(n + 1 <= most + perSecond * (to - from) / 1000 + 1e-6, `${n + 1} from ${from} to ${to}`);
        }
      }
      const rest = admitted.filter((time) => time === now).length;
      now += 1e9;
      let free = 0;
      while (waitOf(access, "caller") === 0) free++;
      assert.ok(free >= Math.floor(most) && rest <= most, `${free} at once after a pause`);
    },
  ));
});

Deno.test("Access forgets the callers away for longest, once there are 10,000 others", () => {
  const access = new Access({ keys: [], rateLimit: { perSecond: 1, burst: 1 }, now: () => 0 });
  const crowd = (name: string, count: number) => {
    for (let n = 0; n < count; n++) assert.equal(waitOf(access, `${name} ${n}`), 0);
  };
  assert.deepEqual([waitOf(access, "a"), waitOf(access, "a")], [0, 1]);
  crowd("first", 9999);
  assert.equal(waitOf(access, "a"), 1);
  crowd("second", 9999);
  assert.equal(waitOf(access, "a"), 1);
  crowd("third", 10_000);
  assert.equal(waitOf(access, "a"), 0);
});

Deno.test("Access does not forget a key's rate because of callers without a key", () => {
  const access = new Access({ keys, rateLimit: { perSecond: 1, burst: 1 }, now: () => 0 });
  assert.deepEqual([waitOf(access, "a"), waitOf(access, "a")], [0, 1]);
  for (let n = 0; n < 10_001; n++) waitOf(access, `b ${n}`, {});
  assert.equal(waitOf(access, "a"), 1);
});

Deno.test("Access gives a key's only client the whole rate in the long run", () => {
  let now = 0;
  const access = new Access({ keys, rateLimit: { perSecond: 20, burst: 40 }, now: () => now });
  let alone = 0;
  for (; now < 30_000; now += 10) if (waitOf(access, "a") === 0) alone++;
  assert.ok(alone >= 600 && alone <= 640, `${alone} of 600 in 30 s`);
});

Deno.test("Access admits the visitors of a public key even while one of them floods it", () => {
  for (const [perSecond, burst] of [[10, 10], [20, 40], [50, 200]] as const) {
    let now = 0, flooded = 0, refused = 0, visits = 0;
    const access = new Access({ keys, rateLimit: { perSecond, burst }, now: () => now });
    for (; now < 20_000; now += 10) {
      for (let n = 0; n < 2; n++) if (waitOf(access, "198.51.100.1") === 0) flooded++;
      // All others together use half of the rate.
      if (now % (2000 / perSecond) !== 0) continue;
      visits++;
      if (waitOf(access, `192.0.2.${visits % 50}`) > 0) refused++;
    }
    // Only while the bucket refills that the flood emptied at first.
    assert.ok(refused <= visits * 0.01, `${refused} of ${visits} visits at ${perSecond} a second`);
    assert.ok(flooded >= perSecond * 20 * 0.4, `${flooded}: the flood gets what nobody else wants`);
  }
});

Deno.test("Access counts the owner of an IPv6 network as few clients, however many addresses there are", () => {
  let at = 0;
  const fresh = (network = "2001:db8:1") => `${network}:${(at++ % 65_536).toString(16)}::1`;
  for (const [perSecond, burst] of [[10, 10], [20, 40], [50, 200]] as const) {
    let now = 0, flooded = 0, refused = 0, visits = 0;
    const access = new Access({ keys, rateLimit: { perSecond, burst }, now: () => now });
    const open = new Access({ keys: [], rateLimit: { perSecond, burst }, now: () => now });
    let most = 0;
    for (; now < 20_000; now += 10) {
      for (let n = 0; n < 2; n++) if (waitOf(access, fresh()) === 0) flooded++;
      for (let n = 0; n < 5; n++) if (waitOf(open, fresh(), {}) === 0) most++;
      if (now % (2000 / perSecond) !== 0) continue;
      visits++;
      if (waitOf(access, `2001:db8:${(visits % 50 + 2).toString(16)}::1`) > 0) refused++;
    }
    assert.ok(refused <= visits * 0.01, `${refused} of ${visits} visits at ${perSecond} a second`);
    assert.ok(flooded >= perSecond * 20 * 0.4, `${flooded}: the flood gets what nobody else wants`);
    assert.ok(most <= burst + 4 * perSecond * 20 + 1, `${most} without a key`);
  }
  const guesses = new Access({ keys, now: () => 0 });
  for (let n = 0; n < 30; n++) {
    const guess = () => guesses.admit(new Headers({ "x-api-key": "0".repeat(16) }), "read", fresh());
    assert.throws(guess, { code: n < 20 ? "unauthorized" : "too-many-requests" });
  }
});

Deno.test("Access refuses a client beyond its share of a key, says when to retry, and leaves the rest to others", () => {
  let now = 0;
  const limits: string[] = [];
  const limited = (limit: string) => void limits.push(limit);
  const access = new Access({ keys, rateLimit: { perSecond: 1, burst: 10 }, limited, now: () => now });
  for (let n = 0; n < 3; n++) assert.equal(waitOf(access, "a"), 0);
  for (let n = 0; n < 3; n++) assert.equal(waitOf(access, "b"), 0);
  // Four are left: `a` may have five of the last half.
  for (let n = 0; n < 3; n++) assert.equal(waitOf(access, "a"), 0);
  now += 1000;
  for (let n = 0; n < 2; n++) assert.equal(waitOf(access, "a"), 0);
  assert.deepEqual([waitOf(access, "b"), limits], [1, ["rate"]]);
  now += 2000;
  assert.equal(waitOf(access, "a"), 4, "at 6 of 10, sooner than in 19 s, when its share is 1");
  for (let n = 0; n < 2; n++) assert.equal(waitOf(access, "b"), 0, "what `a` was refused is left for others");
  assert.deepEqual(limits, ["rate", "share"]);
});

Deno.test("Access takes forwarded addresses from configured proxies, and none that clients make up", () => {
  const proxies = ["10.0.0.0/8", "fd00::1"];
  const ownerOf = (peer: string, forwarded?: string, own = proxies) =>
    groupOf(
      new Access({ keys: [], proxies: own, now: () => 0 })
        .admit(new Headers(forwarded === undefined ? {} : { "x-forwarded-for": forwarded }), "read", peer)
        .caller,
    );
  const cases: readonly [peer: string, forwarded: string | undefined, owner: string][] = [
    ["192.0.2.7", undefined, "192.0.2.7"],
    ["192.0.2.7", "198.51.100.1", "192.0.2.7"], // no proxy of ours
    ["10.1.2.3", undefined, "10.1.2.3"],
    ["10.1.2.3", "198.51.100.1", "198.51.100.1"],
    ["::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"],
    ["fd00::1", "198.51.100.1", "198.51.100.1"],
    ["fd00::2", "198.51.100.1", "fd00:0:0"],
    ["10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1"], // the client wrote the first
    ["10.1.2.3", "1.1.1.1, 198.51.100.1, 10.9.9.9", "198.51.100.1"],
    ["10.1.2.3", "1.1.1.1, 198.51.100.1:4711 , [fd00::1]:80", "198.51.100.1"],
    ["10.1.2.3", "1.1.1.1, unknown, 10.9.9.9", "10.9.9.9"],
    ["10.1.2.3", "10.4.4.4, 10.9.9.9", "10.4.4.4"],
    ["10.1.2.3", "", "10.1.2.3"],
    ["10.1.2.3", "2001:db8:1:2:3:4:5:6", "2001:db8:1"],
    ["10.1.2.3", "[2001:DB8:1:2::9]:443", "2001:db8:1"],
    ["10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"],
    ["2001:db8::1", undefined, "2001:db8:0"],
    ["fe80::1%eth0", undefined, "fe80:0:0"],
    ["::1", undefined, "0:0:0"],
    ["", undefined, ""],
  ];
  for (const [peer, forwarded, owner] of cases) {
    assert.equal(ownerOf(peer, forwarded), owner, `${peer} ${forwarded}`);
  }
  assert.equal(ownerOf("10.1.2.3", "198.51.100.1", []), "10.1.2.3");
  for (
    const bad of ["shop.example", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/", "fe80::1%eth0", "::/129", ""]
  ) {
    assert.equal(isNetwork(bad), false, bad);
  }
});

Deno.test("keysOf() refuses a guessable key from the environment, without printing it", () => {
  assert.equal(keysOf({}, "0123456789abcdef")[0]?.name, "environment");
  assert.throws(
    () => keysOf({}, "hunter2"),
    /^Error: Cannot take MEANDER_API_KEY as a key: it has 7 characters, and a key has at least 16; make one/,
  );
});

Deno.test("Access tells apart the networks of one owner, who are a group for each key", () => {
  const access = new Access({ keys, now: () => 0 });
  const callerAt = (address: string, scope: "read" | null) =>
    access.admit(new Headers({ "x-api-key": KEY }), scope, address).caller;
  const own = callerAt("2001:db8:1:a::1", "read");
  const neighbour = callerAt("2001:db8:1:b::1", "read");
  assert.equal(callerAt("2001:db8:1:a::2", "read"), own);
  assert.notEqual(neighbour, own);
  assert.equal(groupOf(neighbour), groupOf(own));
  const without = callerAt("2001:db8:1:a::1", null);
  for (const other of [callerAt("2001:db8:2:a::1", "read"), without]) {
    assert.notEqual(groupOf(other), groupOf(own));
  }
});
