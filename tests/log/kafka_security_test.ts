/** TLS with a certificate of one's own, SASL, and users who may not do everything. */

import assert from "node:assert/strict";
import { newPlace, record, texts } from "../contracts/log_suite.ts";
import { kafkaOptions, type KafkaSettings, SECRETS } from "../../streams/log/kafka/settings.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { openLog, testBroker } from "./kafka_broker.ts";

const CHECK = new URL("../../scripts/check.ts", import.meta.url).pathname;

const PASSWORD = "not-a-secret";
const folder = await Deno.makeTempDir();
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

const made = await keytool(
  ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1", "-validity", "2"],
) && await keytool(["-exportcert", "-rfc", "-file", `${folder}/ca.pem`]);
const login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
const broker = !made ? undefined : await testBroker({
  properties: {
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL",
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config":
      `${login} username="admin" password="${PASSWORD}" user_admin="${PASSWORD}" user_guest="${PASSWORD}";`,
    "listener.name.plaintext.scram-sha-512.sasl.jaas.config":
      "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "ssl.keystore.location": `${folder}/keys.p12`,
    "ssl.keystore.password": PASSWORD,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": `${folder}/ca.pem`,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS;User:scram",
  },
  scramUsers: { scram: PASSWORD },
});

if (broker !== undefined) {
  const as = (username: string, password = PASSWORD) => ({
    kafka: {
      ssl: { ca: [Deno.readTextFileSync(`${folder}/ca.pem`)] },
      sasl: { mechanism: "plain" as const, username, password },
    },
  });

  Deno.test("KafkaLog works over TLS and SASL", async () => {
    await using log = await openLog(broker, as("admin"));
    const topic = newPlace();
    await log.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    await log.append([record(topic, 0, "a")]);
    await using writer = await log.writer(`${topic}.writer`);
    await using member = await log.join(topic, [topic], {
      assigned: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
    });
    assert.deepEqual(member.partitions, [0, 1]);
    const commit = {
      records: [record(topic, 0, "b")],
      group: topic,
      offsets: [{ topic, partition: 0, offset: 1 }],
    };
    const reading = log.read(topic, 0, 1, { waitMs: 30_000 });
    await writer.commit(commit);
    assert.deepEqual(texts((await reading).records), ["b"]);
    assert.equal(await log.committed(topic, topic, 0), 1);
  });

  Deno.test("open() says why it is refused, at once", async () => {
    await assert.rejects(openLog(broker, as("admin", "wrong")), /Authentication failed/);
    await assert.rejects(openLog(broker, { kafka: { ...as("admin").kafka, ssl: true } }), /certificate/);
  });

  Deno.test("createTopics() lists what is missing when it may not create it", async () => {
    await using log = await openLog(broker, as("guest"));
    await assert.rejects(
      log.createTopics([
        { name: "first", partitions: 2, cleanup: "delete" },
        { name: "second", partitions: 1, cleanup: "compact" },
      ]),
      {
        code: "unknown-topic",
        message: "Cannot create what is missing, as we may not: " +
          "first (2 partitions, cleanup delete), second (1 partition, cleanup compact)",
      },
    );
    await assert.rejects(log.append([record("first", 0, "a")]), { code: "unknown-topic" });
    await assert.rejects(log.writer("mine"), /not authorized|Not authorized|authoriz/i);
  });

  Deno.test("kafkaOptions() reads certificates and passwords from files, or passwords from the environment", async () => {
    await Deno.writeTextFile(`${folder}/password`, `${PASSWORD}\n`);
    const tls = { caFile: `${folder}/ca.pem` };
    const open = (settings: KafkaSettings, env: Readonly<Record<string, string>> = {}) =>
      kafkaOptions({ brokers: [broker.address], retryMs: 20_000, tls, ...settings }, {
        readFile: (path) => Deno.readTextFile(path),
        env: (name) => env[name],
      }).then(KafkaLog.open);
    const { username, password } = SECRETS;
    const plain = { mechanism: "plain", username: "admin", passwordFile: `${folder}/password` } as const;
    const scram = { mechanism: "scram-sha-512" } as const;
    for (
      const opening of [
        open({ sasl: plain }),
        open({ sasl: scram }, { [username]: "scram", [password]: PASSWORD }),
      ]
    ) {
      await using log = await opening;
      assert.ok(!(await log.topics()).has("nothing"));
    }
    await assert.rejects(
      open({ sasl: scram }, { [username]: "scram", [password]: "wrong" }),
      /[Aa]uthentication/,
    );
    await assert.rejects(
      open({ sasl: scram }),
      /there is no username, neither set nor in MEANDER_SASL_USERNAME/,
    );
    await assert.rejects(open({ tls: { caFile: `${folder}/none.pem` } }), /CA certificates from .*none.pem/);
  });

  Deno.test("check looks over TLS and SASL, and tells which rights are missing", async () => {
    const check = async (user: string, ...more: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", CHECK, "--log", "kafka", "--brokers", broker.address]
          .concat([
            "--tls-ca-file",
            `${folder}/ca.pem`,
            "--sasl-mechanism",
            "plain",
            "--sasl-username",
            user,
            ...more,
          ]),
        env: { [SECRETS.password]: PASSWORD },
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, text: text(stdout), errors: text(stderr) };
    };
    const topicConfig = { "message.timestamp.type": "LogAppendTime" };
    await using log = await openLog(broker, { ...as("admin"), topicConfig });
    await log.createTopics(topicSpecs(topicNames("check."), 2));
    const admin = await check("admin", "--prefix", "check.", "--rights");
    assert.equal(admin.code, 1, admin.errors);
    assert.match(admin.text, /PROBLEM: nobody has partition 0\n +-> run a process with the role `task`/);
    assert.doesNotMatch(admin.text, /right|NOTE/);
    const guest = await check("guest", "--prefix", "check.", "--rights");
    assert.equal(guest.code, 1, guest.errors);
    assert.match(guest.text, /PROBLEM: topic check.events is missing\n +-> .*let us DESCRIBE it/);
    assert.match(
      guest.text,
      /right to Write TransactionalId check.events-tasks-check is missing\n +-> kafka-acls.sh/,
    );
    const nobody = await check("nobody");
    assert.equal(nobody.code, 2);
    assert.match(nobody.errors, /Cannot look at 127.0.0.1:\d+: .*Authentication failed/);
  });
}

async function keytool(args: readonly string[]): Promise<boolean> {
  const store = [
    "-keystore",
    `${folder}/keys.p12`,
    "-storetype",
    "PKCS12",
    "-storepass",
    PASSWORD,
    "-alias",
    "broker",
  ];
  const { success } = await new Deno.Command("keytool", { args: [...args, ...store] }).output()
    .catch(() => ({ success: false }));
  if (!success) {
    await Deno.stderr.write(
      new TextEncoder().encode("SKIPPED: the security tests of the Kafka log need keytool\n"),
    );
  }
  return success;
}
