import assert from "node:assert/strict";
import NetworkConnection from "kafkajs/src/network/connection.js";
import "../../../streams/log/kafka/protocol/patch.ts";

Deno.test("a connection that is being closed is open for as long as it has its socket", () => {
  for (
    const [connectionStatus, socket, want] of [
      ["connected", {}, true],
      ["disconnecting", {}, true],
      ["disconnecting", undefined, false],
      ["disconnected", {}, false],
    ] as const
  ) {
    const connection = Object.assign(Object.create(NetworkConnection.prototype), {
      connectionStatus,
      socket,
    });
    assert.equal(connection.isConnected(), want, connectionStatus);
  }
});
