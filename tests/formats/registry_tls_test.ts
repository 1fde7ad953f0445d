/** A registry that requires client certificates, made by openssl. */

import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { RegistryClient, RegistryError } from "../../streams/formats/registry_client.ts";

const folder = await Deno.makeTempDir({ prefix: "meander-registry-tls-" });

async function openssl(...args: readonly string[]): Promise<boolean> {
  const command = new Deno.Command("openssl", { args: [...args], cwd: folder });
  return await command.output().then(({ success }) => success, () => false);
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

async function makeCertificates(): Promise<boolean> {
  if (!await openssl("req", "-x509", ...KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")) {
    return false;
  }
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  for (const name of ["server", "client"]) {
    const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
    const by = [
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-addext",
      names,
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ];
    if (!await openssl("req", "-x509", ...KEY, ...files, ...by, "-subj", `/CN=${name}`)) return false;
  }
  return await openssl("req", "-x509", ...KEY, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=x");
}

const ready = await makeCertificates();
if (!ready) {
  await Deno.stderr.write(new TextEncoder().encode("SKIPPED: TLS of a schema registry: no openssl 3.2\n"));
}

Deno.test({
  name: "RegistryClient presents its certificate, reads a renewed one, and says what is wrong",
  ignore: !ready,
  async fn() {
    const read = (file: string) => Deno.readTextFileSync(`${folder}/${file}`);
    const server = createServer({
      cert: read("server.pem"),
      key: read("server.key"),
      ca: [read("ca.pem")],
      requestCert: true,
      rejectUnauthorized: true,
    }, (_, response) => void response.end('{"schema": "\\"int\\""}'));
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const client = (
      tls: Readonly<Record<string, string>>,
      wait: () => Promise<unknown> = () => Promise.resolve(),
    ) =>
      new RegistryClient({
        url,
        tls: Object.fromEntries(Object.entries(tls).map(([name, file]) => [name, `${folder}/${file}`])),
      }, { wait });
    const caFile = "ca.pem";
    const own = { caFile, certFile: "client.pem", keyFile: "client.key" };
    try {
      using right = client(own);
      assert.deepEqual(await right.ask("/schemas/ids/1"), { schema: '"int"' });
      const wrong: readonly (readonly [Readonly<Record<string, string>>, isTemporary: boolean, RegExp])[] = [
        [{ caFile }, true, /Cannot reach the schema registry https:\/\/localhost/],
        [{ certFile: "client.pem", keyFile: "client.key" }, true, /Cannot reach/],
        [{ ...own, certFile: "other.pem", keyFile: "other.key" }, true, /Cannot reach/],
        [{ caFile, certFile: "client.pem" }, false, /tls\.certFile and tls\.keyFile must be set together/],
        [{ ...own, keyFile: "none.key" }, false, /Cannot read the certificates .*none\.key/],
        [{ ...own, keyFile: "ca.pem" }, false, /Cannot take .* for the schema registry/],
      ];
      for (const [tls, isTemporary, message] of wrong) {
        using one = client(tls);
        await assert.rejects(() => one.ask("/schemas/ids/1"), (error) => {
          assert.ok(error instanceof RegistryError, String(error));
          assert.equal(error.isTemporary, isTemporary, error.message);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /PRIVATE|MII/);
          return true;
        });
      }
      await Promise.all(
        ["pem", "key"].map((end) => Deno.copyFile(`${folder}/other.${end}`, `${folder}/mine.${end}`)),
      );
      const renew = async () => {
        await Promise.all(
          ["pem", "key"].map((end) => Deno.copyFile(`${folder}/client.${end}`, `${folder}/mine.${end}`)),
        );
      };
      using renewed = client({ caFile, certFile: "mine.pem", keyFile: "mine.key" }, renew);
      assert.deepEqual(await renewed.ask("/schemas/ids/1"), { schema: '"int"' });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
      await Deno.remove(folder, { recursive: true });
    }
  },
});
