/**
 * Tokens for Amazon MSK with IAM: the URL of a `kafka-cluster:Connect` request, signed with Signature Version 4, in
 * base64url. The same as aws-msk-iam-sasl-signer-js makes, without its 75 packages.
 */

import type { AwsCredentials } from "./aws_credentials.ts";

const SERVICE = "kafka-cluster";
const ALGORITHM = "AWS4-HMAC-SHA256";
const LIFE_SECONDS = 900;
/** SHA-256 of nothing: the request has no body. */
const NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const utf8 = new TextEncoder();

/** A token, valid for a quarter of an hour. @param now epoch milliseconds */
export async function mskToken(region: string, credentials: AwsCredentials, now: number): Promise<string> {
  const host = `kafka.${region}.amazonaws.com`;
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const scope = `${day}/${region}/${SERVICE}/aws4_request`;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const query = new Map([
    ["Action", "kafka-cluster:Connect"],
    ["X-Amz-Algorithm", ALGORITHM],
    ["X-Amz-Credential", `${accessKeyId}/${scope}`],
    ["X-Amz-Date", time],
    ["X-Amz-Expires", `${LIFE_SECONDS}`],
    ...(sessionToken === undefined ? [] : [["X-Amz-Security-Token", sessionToken] as const]),
    ["X-Amz-SignedHeaders", "host"],
  ]);
  const canonical = [...query].map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const request = ["GET", "/", canonical, `host:${host}`, "", "host", NO_BODY].join("\n");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(request))).toHex();
  let key: Uint8Array<ArrayBuffer> = utf8.encode(`AWS4${secretAccessKey}`);
  for (const part of scope.split("/")) key = await hmac(key, part);
  const signature = (await hmac(key, [ALGORITHM, time, scope, digest].join("\n"))).toHex();
  const url = `https://${host}/?${canonical}&X-Amz-Signature=${signature}&User-Agent=meander`;
  return utf8.encode(url).toBase64({ alphabet: "base64url", omitPadding: true });
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(algorithm, imported, utf8.encode(text)));
}

/** Percent-encodes as RFC 3986 does: `encodeURIComponent` leaves five more characters unencoded. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
