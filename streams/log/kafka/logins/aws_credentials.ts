/**
 * Credentials for Amazon Web Services, from where its platforms put them: environment variables, the endpoint of a
 * container (ECS, EKS Pod Identity), or a role for the identity of a service account (EKS IRSA).
 */

import { readFile } from "node:fs/promises";
import process from "node:process";
import { isRecord } from "../../../../src/values/record.ts";
import { askEndpoint, textOf } from "./endpoint.ts";
import { LoginError } from "./login_error.ts";
import { type Lease, renewed } from "./renewed.ts";

/** Credentials with which requests are signed. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Host of ECS's endpoint, to which relative addresses refer. */
const ECS = "http://169.254.170.2";
const WHAT = "credentials of AWS";

/** Returns a function that returns valid credentials, renewed before they expire. @param env reads a variable */
export function awsCredentials(
  region: string,
  env: (name: string) => string | undefined = (name) => process.env[name],
): () => Promise<AwsCredentials> {
  return renewed(async () => {
    const [accessKeyId, secretAccessKey] = [env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY")];
    if (accessKeyId !== undefined && secretAccessKey !== undefined) {
      const value = { accessKeyId, secretAccessKey, sessionToken: env("AWS_SESSION_TOKEN") };
      return { value, until: Infinity };
    }
    const relative = env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const container = env("AWS_CONTAINER_CREDENTIALS_FULL_URI") ?? (relative && `${ECS}${relative}`);
    if (container !== undefined) return await ofContainer(container, env);
    const [role, file] = [env("AWS_ROLE_ARN"), env("AWS_WEB_IDENTITY_TOKEN_FILE")];
    if (role !== undefined && file !== undefined) {
      const sts = env("AWS_ENDPOINT_URL_STS") ?? `https://sts.${region}.amazonaws.com`;
      return await ofRole(sts, role, await textIn(file));
    }
    throw new LoginError(
      "Cannot log in by aws-msk-iam: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or " +
        "let the platform set AWS_CONTAINER_CREDENTIALS_FULL_URI, or AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE",
      false,
    );
  });
}

async function ofContainer(
  url: string,
  env: (name: string) => string | undefined,
): Promise<Lease<AwsCredentials>> {
  const file = env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  const authorization = file === undefined ? env("AWS_CONTAINER_AUTHORIZATION_TOKEN") : await textIn(file);
  return leaseOf(
    await askEndpoint(WHAT, url, authorization === undefined ? {} : { headers: { authorization } }),
    "Token",
  );
}

/** Calls AssumeRoleWithWebIdentity, which returns JSON if the `accept` header says so. */
async function ofRole(sts: string, role: string, identity: string): Promise<Lease<AwsCredentials>> {
  const answer = await askEndpoint(WHAT, sts, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams({
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleSessionName: "meander",
      RoleArn: role,
      WebIdentityToken: identity,
    }),
  });
  return leaseOf(within(within(within(answer, RESPONSE), RESULT), "Credentials"), "SessionToken");
}

const RESPONSE = "AssumeRoleWithWebIdentityResponse";
const RESULT = "AssumeRoleWithWebIdentityResult";

function within(fields: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = fields[name];
  return isRecord(value) ? value : {};
}

/** ECS gives the expiry as a text, STS in epoch seconds. */
function leaseOf(fields: Readonly<Record<string, unknown>>, token: string): Lease<AwsCredentials> {
  const { Expiration: end } = fields;
  const until = typeof end === "number" ? end * 1000 : Date.parse(`${end}`);
  if (Number.isNaN(until)) throw new LoginError(`Cannot get ${WHAT}: the answer has no Expiration`, false);
  const value = {
    accessKeyId: textOf(fields, "AccessKeyId", WHAT),
    secretAccessKey: textOf(fields, "SecretAccessKey", WHAT),
    sessionToken: textOf(fields, token, WHAT),
  };
  return { value, until };
}

async function textIn(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((cause) => {
    throw new LoginError(`Cannot get ${WHAT}: cannot read ${file}: ${cause.message}`, true);
  });
  return text.trim();
}
