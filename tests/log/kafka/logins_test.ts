import assert from "node:assert/strict";
import { awsCredentials } from "../../../streams/log/kafka/logins/aws_credentials.ts";
import { mskToken } from "../../../streams/log/kafka/logins/aws_token.ts";
import { clientCredentials } from "../../../streams/log/kafka/logins/client_credentials.ts";
import { renewed } from "../../../streams/log/kafka/logins/renewed.ts";
import { kafkaFiles, kafkaOptions, type SaslSettings } from "../../../streams/log/kafka/settings.ts";
import { warnings } from "../warnings.ts";

/**
 * Signatures of aws-msk-iam-sasl-signer-js 1.0.3: `generateAuthTokenFromCredentialsProvider` with these credentials in
 * eu-central-1 and a clock that stands still.
 */
const SIGNED = [
  [undefined, "a300791d4fab859c31b4dd35277a46b0bd09e120be1d2d5d8f0cece035c2c693"],
  ["to/ken+with=signs!'()*", "9f64bb7158a7c1b8512e8dc9a95ddf139e43e66ef3e519b2aa3350242014597c"],
] as const;
const NOW = Date.UTC(2026, 10, 28, 13);
const KEYS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "not/a+secret" };

Deno.test("mskToken() signs as Amazon's own signer does", async () => {
  for (const [sessionToken, signature] of SIGNED) {
    const token = await mskToken("eu-central-1", { ...KEYS, sessionToken }, NOW);
    const url = new URL(new TextDecoder().decode(Uint8Array.fromBase64(token, { alphabet: "base64url" })));
    assert.equal(url.host, "kafka.eu-central-1.amazonaws.com");
    assert.equal(url.searchParams.get("Action"), "kafka-cluster:Connect");
    assert.equal(url.searchParams.get("X-Amz-Security-Token"), sessionToken ?? null);
    assert.equal(url.searchParams.get("X-Amz-Signature"), signature);
    assert.ok(!`${url}`.includes(encodeURIComponent(KEYS.secretAccessKey)));
  }
});

Deno.test("awsCredentials() uses variables, a container's endpoint, or a role for an identity", async () => {
  const end = Date.now() + 3_600_000;
  const fields = { AccessKeyId: "id", SecretAccessKey: "secret" };
  const asked: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    asked.push(`${request.headers.get("authorization")} ${await request.text()}`);
    const Credentials = { ...fields, SessionToken: "sts", Expiration: end / 1000 };
    return Response.json(
      request.url.endsWith("/container")
        ? { ...fields, Token: "container", Expiration: new Date(end).toISOString() }
        : { AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult: { Credentials } } },
    );
  });
  const at = `http://127.0.0.1:${server.addr.port}`;
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "identity\n");
  const of = (env: Readonly<Record<string, string>>) => awsCredentials("eu-central-1", (name) => env[name])();
  assert.deepEqual(await of({ AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" }), {
    accessKeyId: "a",
    secretAccessKey: "b",
    sessionToken: undefined,
  });
  const container = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${at}/container` };
  const identity = { AWS_ROLE_ARN: "arn", AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ENDPOINT_URL_STS: at };
  assert.equal(
    (await of({ ...container, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file })).sessionToken,
    "container",
  );
  assert.deepEqual(await of(identity), {
    accessKeyId: "id",
    secretAccessKey: "secret",
    sessionToken: "sts",
  });
  assert.equal(asked[0], "identity ");
  assert.match(asked[1] ?? "", /Action=AssumeRoleWithWebIdentity.*RoleArn=arn&WebIdentityToken=identity$/);
  await assert.rejects(of({}), /there are no credentials; set AWS_ACCESS_KEY_ID/);
  await Deno.remove(file);
});

Deno.test("renewed() asks again after four fifths of a lifetime, and tolerates failures until its end", async () => {
  let now = 0, asked = 0, fails = false;
  const get = renewed(() => {
    if (fails) return Promise.reject(new Error("away"));
    return Promise.resolve({ value: ++asked, until: now + 100 });
  }, () => now);
  assert.deepEqual(await Promise.all([get(), get()]), [1, 1]);
  now = 79;
  assert.equal(await get(), 1);
  now = 80;
  assert.equal(await get(), 2);
  [now, fails] = [170, true];
  const told = await warnings(async () => assert.equal(await get(), 2));
  assert.deepEqual(told, ["cannot renew the Kafka login, which expires in 0 s: away"]);
  now = 180;
  await assert.rejects(get(), /away/);
  fails = false;
  assert.equal(await get(), 3);
});

Deno.test("clientCredentials() sends no secret unencrypted", () => {
  const account = { username: "me", password: "hush" };
  assert.throws(
    () => clientCredentials({ ...account, tokenEndpoint: "http://auth.example/token" }),
    /Cannot ask http:\/\/auth.example\/token for tokens: .*use https/,
  );
  clientCredentials({ ...account, tokenEndpoint: "https://auth.example/token" });
});

Deno.test("kafkaOptions() builds each login from settings and variables, and says what is missing", async () => {
  const env: Readonly<Record<string, string>> = { MEANDER_SASL_PASSWORD: "hush", AWS_REGION: "eu-central-1" };
  const of = async (sasl: SaslSettings) =>
    (await kafkaOptions({ sasl }, { env: (name) => env[name], readFile: () => Promise.resolve("text") }))
      .kafka?.sasl;
  const tokenEndpoint = "https://auth.example/token";
  assert.deepEqual(await of({ mechanism: "aws-msk-iam" }), {
    mechanism: "aws-msk-iam",
    region: "eu-central-1",
  });
  assert.deepEqual(await of({ mechanism: "oauthbearer", tokenFile: "/t/token" }), {
    mechanism: "oauthbearer",
    tokenFile: "/t/token",
  });
  assert.deepEqual(await of({ mechanism: "oauthbearer", tokenEndpoint, username: "me" }), {
    mechanism: "oauthbearer",
    tokenEndpoint,
    scope: undefined,
    username: "me",
    password: "hush",
  });
  assert.deepEqual(await of({ mechanism: "plain", username: "me", passwordFile: "/s/password" }), {
    mechanism: "plain",
    username: "me",
    passwordFile: "/s/password",
  });
  await assert.rejects(of({ mechanism: "oauthbearer" }), /neither tokenEndpoint nor tokenFile/);
  await assert.rejects(
    of({ mechanism: "oauthbearer", tokenEndpoint }),
    /username is neither configured nor in MEANDER_SASL_USERNAME/,
  );
});

Deno.test("kafkaFiles() names the folders of files that are replaced by links to others", () => {
  const tls = { caFile: "/tls/ca.pem", certFile: "/tls/cert.pem", keyFile: "own.pem", passphraseFile: "/p" };
  assert.deepEqual(kafkaFiles({ tls, sasl: { mechanism: "oauthbearer", tokenFile: "/t/token" } }), [
    "/tls",
    "own.pem",
    "/t",
    "/p",
  ]);
  assert.deepEqual(kafkaFiles({ sasl: { mechanism: "plain", passwordFile: "/s/password" } }), ["/s"]);
  assert.deepEqual(kafkaFiles({ sasl: { mechanism: "aws-msk-iam" } }), [
    "/var/run/secrets/eks.amazonaws.com",
    "/var/run/secrets/pods.eks.amazonaws.com",
  ]);
});
