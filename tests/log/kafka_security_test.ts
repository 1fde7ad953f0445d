/** TLS with self-signed certificates, every login, and users with few rights. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AclFilter,
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from "kafkajs";
import { isTransient, LogError, type NewRecord } from "../../streams/log/log.ts";
import { all, newPlace, record, texts } from "../contracts/log_suite.ts";
import { kafkaOptions, type KafkaSettings, SECRETS } from "../../streams/log/kafka/settings.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { KafkaLogin } from "../../streams/log/kafka/logins/security.ts";
import type { KafkaConnection, KafkaLogOptions } from "../../streams/log/kafka/options.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { openLog, testBroker } from "./kafka_broker.ts";

const RUN = new URL("../../scripts/run.ts", import.meta.url).pathname;
const CHECK = new URL("../../scripts/check.ts", import.meta.url).pathname;

const PASSWORD = "not-a-secret";
const folder = await Deno.makeTempDir();
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

const made = await keytool(
  ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1", "-validity", "2"],
) && await keytool(["-exportcert", "-rfc", "-file", `${folder}/ca.pem`]);
const hasClients = made && await openssl("client") && await openssl("stranger");
if (made) {
  const trusted = [`${folder}/ca.pem`, ...(hasClients ? [`${folder}/client.pem`] : [])];
  const pems = await Promise.all(trusted.map((file) => Deno.readTextFile(file)));
  await Deno.writeTextFile(`${folder}/trusted.pem`, pems.join("\n"));
}
const login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
const scramLogin = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const broker = !made ? undefined : await testBroker({
  properties: {
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL",
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config":
      `${login} username="admin" password="${PASSWORD}" user_admin="${PASSWORD}" user_guest="${PASSWORD}" user_worker="${PASSWORD}";`,
    "listener.name.plaintext.scram-sha-256.sasl.jaas.config": scramLogin,
    "listener.name.plaintext.scram-sha-512.sasl.jaas.config": scramLogin,
    // Takes tokens without a signature, and ends a session with its token.
    "listener.name.plaintext.oauthbearer.sasl.jaas.config":
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="no";',
    "connections.max.reauth.ms": "600000",
    // Whoever shows a certificate must show one that is trusted.
    "listener.name.plaintext.ssl.client.auth": "requested",
    "ssl.keystore.location": `${folder}/keys.p12`,
    "ssl.keystore.password": PASSWORD,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": `${folder}/trusted.pem`,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS;User:scram;User:bearer",
  },
  scramUsers: { scram: PASSWORD },
});

if (broker !== undefined) {
  /** A second may be too short for a handshake on a machine that is busy. */
  const connectionTimeout = 20_000;
  const as = (username: string, password = PASSWORD) => ({
    kafka: {
      connectionTimeout,
      ssl: { ca: [Deno.readTextFileSync(`${folder}/ca.pem`)] },
      sasl: { mechanism: "plain" as const, username, password },
    },
  });

  /** Grants the worker rights to what tests create. */
  const administrator = async () => {
    const { ssl, sasl } = as("admin").kafka;
    const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING, ssl, sasl }).admin();
    await admin.connect();
    return {
      /** @param resourceName what the names of the resources begin with */
      async allow(
        resourceType: AclResourceTypes,
        operation: AclOperationTypes,
        resourceName = "contract",
      ) {
        const acl = {
          resourceType,
          operation,
          resourceName,
          host: "*",
          principal: "User:worker",
          resourcePatternType: ResourcePatternTypes.PREFIXED,
          permissionType: AclPermissionTypes.ALLOW,
        };
        await admin.createAcls({ acl: [acl] });
        return acl;
      },
      deny: (acl: AclFilter) => admin.deleteAcls({ filters: [acl] }),
      [Symbol.asyncDispose]: () => admin.disconnect(),
    };
  };

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

  Deno.test("KafkaLog.open() says at once why it is refused", async () => {
    await assert.rejects(openLog(broker, as("admin", "wrong")), /Authentication failed/);
    await assert.rejects(openLog(broker, { kafka: { ...as("admin").kafka, ssl: true } }), /certificate/);
  });

  Deno.test("KafkaLog.createTopics() lists what is missing when it may not create it", async () => {
    await using log = await openLog(broker, as("guest"));
    await assert.rejects(
      log.createTopics([
        { name: "first", partitions: 2, cleanup: "delete" },
        { name: "second", partitions: 1, cleanup: "compact" },
      ]),
      {
        code: "unknown-topic",
        message:
          "Cannot create missing topics: we lack the right to. Have an administrator run this, then start again:" +
          ["first --partitions 2", "second --partitions 1"].map((start, n) =>
            `\n  kafka-topics.sh --create --topic ${start} --config max.message.bytes=8388608 --config retention.ms=-1 ` +
            `--config cleanup.policy=${n === 0 ? "delete" : "compact"}`
          ).join(""),
      },
    );
    await assert.rejects(log.append([record("first", 0, "a")]), { code: "unknown-topic" });
    await assert.rejects(log.writer("mine"), /not authorized|Not authorized|authoriz/i);
  });

  Deno.test("KafkaLog.append() and commit() name what is too large, also when they may not ask for the limit", async () => {
    await using rights = await administrator();
    await rights.allow(AclResourceTypes.TOPIC, AclOperationTypes.WRITE);
    for (const ids of ["contract", "append-"]) {
      await rights.allow(AclResourceTypes.TRANSACTIONAL_ID, AclOperationTypes.ALL, ids);
    }
    const topicConfig = { "max.message.bytes": "20000" };
    await using owner = await openLog(broker, { ...as("admin"), topicConfig });
    const topic = newPlace();
    await owner.createTopics([{ name: topic, partitions: 2, cleanup: "delete" }]);
    await using log = await openLog(broker, as("worker"));
    await using writer = await log.writer(topic);
    const commit = (records: readonly NewRecord[]) => writer.commit({ records, group: "", offsets: [] });
    const sized = (n: number, bytes: number) => ({
      ...record(topic, n % 2, `${n}`),
      value: crypto.getRandomValues(new Uint8Array(bytes)),
    });
    // Far more than a message together, most of it in the first half.
    const small = Array.from({ length: 40 }, (_, n) => sized(n, n < 20 ? 5000 : 100));
    const records = small.map((one, n) => n % 9 === 4 ? sized(n, 30_000) : one);
    const isNamed = (...names: readonly number[]) => (error: unknown) => {
      assert.ok(error instanceof LogError, `${error}`);
      assert.deepEqual([error.code, error.records], ["too-large", names]);
      assert.match(error.message, new RegExp(`^Cannot append to ${topic}: .*max.message.bytes`));
      return true;
    };
    for (const write of [(records: readonly NewRecord[]) => log.append(records), commit]) {
      await assert.rejects(write(records), isNamed(4, 13, 22, 31));
      await assert.rejects(write(records.slice(4, 5)), isNamed(0));
      await write(small);
      await assert.rejects(write(records.slice(3, 6)), isNamed(1));
      await write(small.slice(0, 2));
    }
    const beside = await Promise.allSettled(records.map((one) => log.append([one])));
    assert.deepEqual(beside.flatMap(({ status }, n) => status === "rejected" ? [n] : []), [4, 13, 22, 31]);
    const written: (string | null)[] = [];
    for (const partition of [0, 1]) {
      const keys = (await all(owner, topic, partition)).map(({ key }) => key);
      const inOrder = [...small, ...small.slice(0, 2)].filter((one) => one.partition === partition)
        .map(({ key }) => key);
      assert.deepEqual(keys.slice(0, 2 * inOrder.length), [...inOrder, ...inOrder]);
      written.push(...keys);
    }
    const twice = [...small, ...small.slice(0, 2)].flatMap(({ key }) => [key, key]);
    const once = records.flatMap(({ key }, n) => n % 9 === 4 ? [] : [key]);
    assert.deepEqual(written.toSorted(), [...twice, ...once].toSorted());
  });

  Deno.test("KafkaLog takes a missing right for a passing error, and succeeds once it is granted", async () => {
    const topic = newPlace();
    await using rights = await administrator();
    const write = await rights.allow(AclResourceTypes.TOPIC, AclOperationTypes.WRITE);
    const read = await rights.allow(AclResourceTypes.TOPIC, AclOperationTypes.READ);
    await rights.allow(AclResourceTypes.TRANSACTIONAL_ID, AclOperationTypes.ALL);
    await rights.allow(AclResourceTypes.GROUP, AclOperationTypes.ALL);
    await using owner = await openLog(broker, as("admin"));
    await owner.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
    await using log = await openLog(broker, as("worker"));
    const commit = async (key: string) => {
      await using writer = await log.writer(topic);
      await writer.commit({ records: [record(topic, 0, key)], group: topic, offsets: [] });
    };
    const until = async (isDone: () => Promise<boolean>) => {
      while (!await isDone()) await delay(50);
    };
    await until(() => commit("a").then(() => true, () => false));
    await rights.deny(write);
    let failure: unknown;
    await until(() => commit("b").then(() => false, (error) => (failure = error, true)));
    assert.ok(isTransient(failure), `${failure}`);
    assert.match(`${failure}`, /Not authorized/);
    await rights.allow(write.resourceType, write.operation);
    await until(() => commit("c").then(() => true, () => false));
    let next = 0;
    const get = async () => {
      next = (await log.read(topic, 0, next)).next;
    };
    await until(() => get().then(() => next > 0, () => false));
    await rights.deny(write); // it would show the topic
    await rights.deny(read);
    await until(() => get().then(() => false, (error) => (failure = error, true)));
    assert.ok(isTransient(failure), `${failure}`);
    assert.match(`${failure}`, new RegExp(`Cannot read ${topic}: .*Not authorized`));
    for (const ask of [get, get, () => log.identify(topic), () => log.append([record(topic, 0, "d")])]) {
      await assert.rejects(ask(), (error) => isTransient(error) && /Not authorized/.test(`${error}`));
    }
    for (const right of [read, write]) await rights.allow(right.resourceType, right.operation);
    await until(() => get().then(() => true, () => false));
    assert.ok(await log.identify(topic) !== null);
  });

  Deno.test("run: without the right to create topics, lists all that are missing, ready to be created", async () => {
    const config = `${folder}/surfaces.json`;
    await Deno.writeTextFile(config, JSON.stringify({ surfaceTopics: { home: "home" } }));
    const run = async (prefix: string) => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-q",
          "-A",
          "--no-check",
          RUN,
          "--log",
          "kafka",
          "--brokers",
          broker.address,
          "--tls-ca-file",
          `${folder}/ca.pem`,
          "--sasl-mechanism",
          "plain",
          "--sasl-username",
          "guest",
          "--prefix",
          prefix,
          "--partitions",
          "3",
          "--no-snapshots",
          "--config",
          config,
          "--model",
          "base",
          "--variant-models",
          "din",
        ],
        env: { [SECRETS.password]: PASSWORD },
      }).output();
      assert.equal(code, 1);
      const text = new TextDecoder().decode(stderr);
      const made = [
        ...text.matchAll(/kafka-topics\.sh --create --topic (\S+) --partitions (\d+) .*=(\w+)$/gm),
      ];
      return made.map(([, name = "", partitions = "", cleanup = ""]) => `${name} ${partitions} ${cleanup}`)
        .sort();
    };
    const topics = topicNames("mine.");
    const all = [
      ...topicSpecs(topics, 3),
      { name: `${topics.recommendations}.home`, partitions: 3, cleanup: "delete" },
      { name: `${topics.parameters}.din`, partitions: 1, cleanup: "delete" },
    ];
    assert.deepEqual(
      await run("mine."),
      all.map(({ name, partitions, cleanup }) => `${name} ${partitions} ${cleanup}`).sort(),
    );
  });

  Deno.test("kafkaOptions() reads certificates and passwords from files, and passwords from the environment", async () => {
    await Deno.writeTextFile(`${folder}/password`, `${PASSWORD}\n`);
    const tls = { caFile: `${folder}/ca.pem` };
    const open = (settings: KafkaSettings, env: Readonly<Record<string, string>> = {}) =>
      kafkaOptions({
        brokers: [broker.address],
        retryMs: 20_000,
        connectionTimeoutMs: connectionTimeout,
        tls,
        ...settings,
      }, {
        readFile: (path) => Deno.readTextFile(path),
        env: (name) => env[name],
      }).then(KafkaLog.open);
    const { username, password } = SECRETS;
    const plain = { mechanism: "plain", username: "admin", passwordFile: `${folder}/password` } as const;
    const scram = { mechanism: "scram-sha-512" } as const;
    for (
      const [settings, env] of [
        [{ sasl: plain }, {}],
        [{ sasl: scram }, { [username]: "scram", [password]: PASSWORD }],
        [{ sasl: { mechanism: "scram-sha-256", username: "scram" } }, { [password]: PASSWORD }],
      ] as const
    ) {
      await using log = await open(settings, env);
      assert.ok(!(await log.topics()).has("nothing"));
    }
    await assert.rejects(
      open({ sasl: scram }, { [username]: "scram", [password]: "wrong" }),
      /[Aa]uthentication/,
    );
    await assert.rejects(
      open({ sasl: scram }),
      /username is neither configured nor in MEANDER_SASL_USERNAME/,
    );
    await assert.rejects(open({ tls: { caFile: `${folder}/none.pem` } }), /CA certificates from .*none.pem/);
  });

  /** A token without a signature, as the broker takes it here. */
  const tokenOf = (sub: string, seconds: number) => {
    const now = Math.floor(Date.now() / 1000);
    const encode = (part: object) =>
      new TextEncoder().encode(JSON.stringify(part)).toBase64({ alphabet: "base64url", omitPadding: true });
    return `${encode({ alg: "none" })}.${encode({ sub, iat: now, exp: now + seconds })}.`;
  };
  const openBy = (sasl: KafkaLogin, kafka: KafkaConnection = {}) =>
    openLog(broker, { kafka: { ...as("").kafka, sasl, ...kafka } });

  Deno.test("KafkaLog logs in by a token from a file or an endpoint, and again before it expires", async () => {
    const tokenFile = `${folder}/token`;
    await Deno.writeTextFile(tokenFile, `${tokenOf("bearer", 60)}\n`);
    {
      await using log = await openBy({ mechanism: "oauthbearer", tokenFile });
      assert.ok(!(await log.topics()).has("nothing"));
    }
    let given = 0;
    const seen: string[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      seen.push(`${request.headers.get("authorization")} ${await request.text()}`);
      given++;
      return Response.json({ access_token: tokenOf("bearer", 5), expires_in: 5, token_type: "Bearer" });
    });
    const sasl = {
      mechanism: "oauthbearer",
      tokenEndpoint: `http://127.0.0.1:${server.addr.port}/token`,
      username: "me+more",
      password: PASSWORD,
      scope: "kafka",
    } as const;
    {
      await using log = await openBy(sasl, { reauthenticationThreshold: 2000 });
      const topic = newPlace();
      await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
      // Each session ends with its token; writes must not notice.
      for (let n = 0; given < 4; n++) {
        await log.append([record(topic, 0, `${n}`)]);
        await delay(50);
      }
    }
    await server.shutdown();
    const basic = btoa(`me%2Bmore:${PASSWORD}`);
    assert.deepEqual(new Set(seen), new Set([`Basic ${basic} grant_type=client_credentials&scope=kafka`]));
  });

  Deno.test("KafkaLog.open() says at once that a token is refused, or unavailable, and reveals no secret", async () => {
    const tokenFile = `${folder}/old`;
    await Deno.writeTextFile(tokenFile, tokenOf("bearer", -60));
    const token = await Deno.readTextFile(tokenFile);
    const noSecret = (pattern: RegExp) => (error: Error) => {
      assert.match(error.message, pattern);
      for (const secret of [token, PASSWORD]) assert.ok(!Deno.inspect(error).includes(secret));
      return true;
    };
    await assert.rejects(
      openBy({ mechanism: "oauthbearer", tokenFile }),
      noSecret(/OAUTHBEARER authentication failed.*invalid_token/),
    );
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => Response.json({ error: "invalid_client", error_description: PASSWORD }, { status: 401 }),
    );
    const tokenEndpoint = `http://127.0.0.1:${server.addr.port}/token?secret=${PASSWORD}`;
    await assert.rejects(
      openBy({ mechanism: "oauthbearer", tokenEndpoint, username: "me", password: PASSWORD }),
      noSecret(/Cannot get a token from http:\/\/127.0.0.1:\d+\/token: it answered 401 invalid_client/),
    );
    await server.shutdown();
  });

  Deno.test("KafkaLog reads its password again for each login, and says what to do when it is refused", async () => {
    const passwordFile = `${folder}/changing`;
    const put = (password: string) => Deno.writeTextFile(passwordFile, `${password}\n`);
    const open = (sasl: KafkaLogin) => openLog(broker, { kafka: { ...as("").kafka, sasl } });
    for (const [mechanism, username] of [["plain", "admin"], ["scram-sha-512", "scram"]] as const) {
      await put(PASSWORD);
      await using log = await open({ mechanism, username, passwordFile });
      await using _before = await log.writer(newPlace());
      await put("wrong");
      await assert.rejects(log.writer(newPlace()), (error) => {
        assert.ok(isTransient(error), `${error}`);
        assert.match(
          `${error}`,
          new RegExp(`correct the password in ${passwordFile}, which is read at each login`),
        );
        return true;
      });
      await put(PASSWORD);
      await using _after = await log.writer(newPlace());
      await assert.rejects(
        open({ mechanism, username, password: "wrong" }),
        /authentication failed.*; a changed password needs a restart, unless it is in a file \(passwordFile\)/,
      );
    }
    await put("");
    const { username } = as("admin").kafka.sasl;
    const opening = open({ mechanism: "plain", username, passwordFile }); // it is being written
    await put(PASSWORD);
    await using _log = await opening;
  });

  Deno.test({
    name: "KafkaLog reads its certificate again for each connection",
    ignore: !hasClients,
    async fn() {
      const put = async (name: string) => {
        await Deno.copyFile(`${folder}/${name}.pem`, `${folder}/now.pem`);
        await Deno.copyFile(`${folder}/${name}.key`, `${folder}/now.key`);
      };
      const files = { ca: `${folder}/ca.pem`, cert: `${folder}/now.pem`, key: `${folder}/now.key` };
      await put("client");
      await using log = await openLog(broker, { kafka: { ...as("admin").kafka, ssl: { files } } });
      await using _before = await log.writer(newPlace());
      await put("stranger");
      await assert.rejects(openLog(broker, { ...log.address.options as KafkaLogOptions, retryMs: 500 }));
      await Deno.writeTextFile(files.cert, "half of a");
      const writing = log.writer(newPlace());
      await put("client");
      await using _after = await writing;
    },
  });

  Deno.test("check: works over TLS and SASL, and reports which rights are missing", async () => {
    const check = async (user: string, ...more: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "-A", "--no-check", CHECK, "--log", "kafka", "--brokers", broker.address]
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
    assert.match(admin.text, /PROBLEM: no process has partition 0\n +-> run a process with the role `task`/);
    assert.doesNotMatch(admin.text, /right|NOTE/);
    const guest = await check("guest", "--prefix", "check.", "--rights");
    assert.equal(guest.code, 1, guest.errors);
    assert.match(
      guest.text,
      /PROBLEM: there are no topics yet: check.events .+\n +-> .+grant this user DESCRIBE on them/,
    );
    assert.match(
      guest.text,
      /right to Write TransactionalId check.events-tasks-check is missing\n +-> kafka-acls.sh/,
    );
    const nobody = await check("nobody");
    assert.equal(nobody.code, 2);
    assert.match(nobody.errors, /Cannot examine 127.0.0.1:\d+: .*Authentication failed/);
  });
}

/** Makes a self-signed certificate and its key. */
async function openssl(name: string): Promise<boolean> {
  const { success } = await new Deno.Command("openssl", {
    args: [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      `${folder}/${name}.key`,
      "-out",
      `${folder}/${name}.pem`,
    ],
  }).output().catch(() => ({ success: false }));
  if (!success) {
    await Deno.stderr.write(
      new TextEncoder().encode("SKIPPED: the test of client certificates needs openssl\n"),
    );
  }
  return success;
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
