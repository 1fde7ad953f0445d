/**
 * A wire between a port of its own and another, which can be cut: nothing gets through then, without an error, as when
 * packets are lost. What is sent in the meantime arrives once it is mended.
 *
 * @module
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** See the module. */
export class Wire implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #ends: Set<Socket>;
  #isCut = false;

  private constructor(server: Server, ends: Set<Socket>) {
    this.#server = server;
    this.#ends = ends;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Lays one to a port of the loopback interface. */
  static async to(port: number): Promise<Wire> {
    const ends = new Set<Socket>();
    const server = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const wire = new Wire(server, ends);
    server.on("connection", (near) => {
      const far = connect(port, "127.0.0.1");
      wire.#join(near, far);
      wire.#join(far, near);
    });
    return wire;
  }

  /** Whether nothing gets through. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Lets nothing through, or everything again. */
  set isCut(cut: boolean) {
    this.#isCut = cut;
    for (const end of this.#ends) cut ? end.pause() : end.resume();
  }

  /** Ends every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) end.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket): void {
    this.#ends.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      if (to.write(bytes)) return;
      from.pause();
      to.once("drain", () => this.#isCut || from.resume());
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#ends.delete(from);
      to.destroySoon();
    });
    this.#isCut ? from.pause() : from.resume();
  }
}
