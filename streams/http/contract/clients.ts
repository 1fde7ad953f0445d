/** The senders of requests: addresses, as limits count them. */

import { BlockList, isIP } from "node:net";

const PORT = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/;

/** The part of an address that a client does not choose: all of IPv4, the first 64 bits of IPv6 (`2001:db8:0:0`). */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [plain = ""] = address.split("%");
  const [head = [], tail = []] = new URL(`http://[${plain}]`).hostname.slice(1, -1)
    .split("::").map((part) => part === "" ? [] : part.split(":"));
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  if (groups.slice(0, 6).join() !== "0,0,0,0,0,ffff") return groups.slice(0, 4).join(":");
  return groups.slice(6).map((group) => parseInt(group, 16)).flatMap((two) => [two >> 8, two & 255]).join(
    ".",
  );
}

/**
 * The network that may belong to one owner, of a network as {@linkcode networkOf} returns it: the first 48 bits of IPv6,
 * which a provider assigns to whoever asks, and which have 65,536 networks of 64 bits.
 */
export function ownerOf(network: string): string {
  return network.split(":").slice(0, 3).join(":");
}

/** The name of a caller: of its key and the owner of its network, who has one turn, and of its own network. */
export function callerOf(key: string | undefined, client: string): string {
  const owner = ownerOf(client);
  return `${key === undefined ? owner : `${key} ${owner}`}/${client}`;
}

/** All callers with the same key in networks of the same owner. @param caller see {@linkcode callerOf} */
export function groupOf(caller: string): string {
  return caller.slice(0, caller.lastIndexOf("/"));
}

/** Whether a text is an address or a network, as in {@linkcode Clients}. */
export function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const most = isIP(address) === 4 ? 32 : 128;
  return isIP(address) > 0 && !address.includes("%") && rest.length === 0 &&
    (bits === undefined || /^\d{1,3}$/.test(bits) && Number(bits) <= most);
}

/** Distinguishes the clients of a server, including those behind its own proxies. */
export class Clients {
  readonly #proxies: BlockList | undefined;

  /** @param proxies addresses and networks (`10.0.0.0/8`) whose `X-Forwarded-For` is true */
  constructor(proxies: readonly string[] = []) {
    if (proxies.length === 0) return;
    this.#proxies = new BlockList();
    for (const proxy of proxies) {
      const [address = "", bits] = proxy.split("/");
      const family = isIP(address) === 4 ? "ipv4" : "ipv6";
      this.#proxies.addSubnet(address, Number(bits ?? (family === "ipv4" ? 32 : 128)), family);
    }
  }

  /**
   * The network that a request comes from. Each proxy appends the address of its caller, so the list is read from its
   * end for as long as a known proxy appended it: an entry that a client forges is never reached.
   *
   * @param peer address at the other end of the connection
   */
  of(peer: string, headers: Headers): string {
    if (!this.#isProxy(peer)) return networkOf(peer);
    let client = peer;
    for (const hop of (headers.get("x-forwarded-for") ?? "").split(",").reverse()) {
      const [, six, four] = PORT.exec(hop.trim()) ?? [];
      const address = six ?? four ?? hop.trim();
      if (isIP(address) === 0) break;
      client = address;
      if (!this.#isProxy(client)) break;
    }
    return networkOf(client);
  }

  #isProxy(address: string): boolean {
    if (this.#proxies === undefined) return false;
    const family = isIP(address);
    return family > 0 && this.#proxies.check(address, family === 4 ? "ipv4" : "ipv6");
  }
}
