import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import metadataResponse from "kafkajs/src/protocol/requests/metadata/v6/response.js";
import Encoder from "kafkajs/src/protocol/encoder.js";
import NetworkConnection from "kafkajs/src/network/connection.js";
import { logLevel } from "kafkajs";
import { KafkaJSConnectionClosedError, KafkaJSConnectionError, KafkaJSError } from "kafkajs/src/errors.js";
import { createCluster } from "../../../streams/log/kafka/protocol/patch.ts";

Deno.test("NetworkConnection.isConnected() is true of a closing connection for as long as it has its socket", () => {
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

Deno.test("NetworkConnection gives up when a request is not answered in time, with all that wait behind it", async () => {
  const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await once(server, "listening");
  const quiet = { debug() {}, error() {}, warn() {} };
  const connection = new NetworkConnection({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    logger: { namespace: () => quiet },
    requestTimeout: 50,
    connectionTimeout: 10_000,
    socketFactory: ({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }) =>
      connect({ host, port }, onConnect),
  });
  await connection.connect();
  const ask = (requestTimeout: number) =>
    connection.send({
      request: { apiKey: 18, apiVersion: 0, apiName: "ApiVersions", encode: () => new Encoder() },
      response: {},
      requestTimeout,
    });
  const patient = ask(600_000);
  await assert.rejects(ask(50), { name: "KafkaJSRequestTimeoutError" });
  await assert.rejects(patient, { name: "KafkaJSConnectionClosedError", message: /127.0.0.1:\d+ is silent/ });
  assert.equal(connection.isConnected(), false);
  await connection.connect();
  assert.equal(connection.isConnected(), true);
  await connection.disconnect();
  server.close();
});

Deno.test("metadataResponse.parse() accepts a partition without a leader, as it says who leads the others", async () => {
  const topic = (...codes: number[]) => ({
    topicErrorCode: 0,
    partitionMetadata: codes.map((partitionErrorCode) => ({ partitionErrorCode, leader: -1 })),
  });
  for (const code of [5, 9, 72]) {
    const { topicMetadata } = await metadataResponse.parse({ topicMetadata: [topic(0, code), topic(0)] });
    assert.deepEqual(topicMetadata[0].partitionMetadata.at(-1), { partitionErrorCode: 0, leader: -1 });
  }
  await assert.rejects(metadataResponse.parse({ topicMetadata: [topic(29)] }), {
    type: "TOPIC_AUTHORIZATION_FAILED",
  });
});

Deno.test("createCluster() connects to the next broker of the list whatever is wrong with one", async () => {
  const failures = [
    () => new KafkaJSConnectionError("refused"),
    () => new KafkaJSConnectionClosedError("closed", { host: "one", port: 1 }),
    () => new KafkaJSError("silent"),
  ];
  for (const failure of failures) {
    const brokers = ["one:1", "two:2", "three:3"];
    const cluster = createCluster({ brokers, retry: { retries: 0 }, logLevel: logLevel.NOTHING }, () => {});
    const tried: string[] = [];
    Object.assign(cluster.brokerPool, {
      createBroker: ({ connectionPool: { host } }: { connectionPool: { host: string } }) => ({
        connect() {
          tried.push(host);
          return host === "three" ? Promise.resolve() : Promise.reject(failure());
        },
        disconnect: () => Promise.resolve(),
        isConnected: () => false,
      }),
    });
    const { brokerPool } = cluster as unknown as { brokerPool: { connect(): Promise<void> } };
    const connectTwice = () => Promise.all([brokerPool.connect(), brokerPool.connect()]);
    for (let tries = 1; tries < 3; tries++) await assert.rejects(connectTwice());
    await connectTwice();
    assert.deepEqual(tried, ["one", "two", "three"]);
  }
});
