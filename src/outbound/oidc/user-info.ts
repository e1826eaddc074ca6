import type { JsonObject } from "../../domain/json.ts";
import type { OutgoingHttp } from "../../domain/ports.ts";
import type { Provider } from "../../domain/provider/provider.ts";
import { askProvider, objectOf, type ProviderHttpAnswer } from "./provider-http.ts";
import type { ProviderMetadata } from "./provider-metadata.ts";
import { invalid } from "./provider-problem.ts";
import { textClaim } from "./signed-token.ts";

const what = "user info";

/** Reads the user info of an account that an ID token has named. Throws ProviderProblem. */
export async function readUserInfo(
  http: OutgoingHttp,
  provider: Provider,
  { userinfoUrl }: ProviderMetadata,
  accessToken: string,
  subject: string,
): Promise<JsonObject> {
  if (userinfoUrl === undefined) throw invalid("discovery names no user info endpoint");
  const claims = objectOf(what, await ask(http, provider, what, userinfoUrl, accessToken));
  // Security rule (SR-OIDC-9): a token of somebody else may have been put in the place of this one (OpenID Connect Core 1.0,
  // section 5.3.2).
  if (claims.sub !== subject) throw invalid("user info is of another subject than the ID token");
  return claims;
}

/** Reads the account that an access token is of, where there are no ID tokens. Throws ProviderProblem. */
export async function readAccount(
  http: OutgoingHttp,
  provider: Provider,
  accessToken: string,
): Promise<{ readonly subject: string; readonly claims: JsonObject }> {
  const { endpoints, quirks } = provider;
  if (endpoints.kind !== "fixed")
    throw new Error("a provider with discovery names its accounts in ID tokens");
  const { userinfoUrl, subjectField } = endpoints;
  const account = objectOf(what, await ask(http, provider, what, userinfoUrl, accessToken));
  const value = account[subjectField];
  // Larger numbers are two accounts' at once.
  const subject = textClaim(Number.isSafeInteger(value) ? String(value) : value);
  if (subject === undefined) throw invalid("user info names no subject, or one that is too long");
  if (!quirks.has("github_emails")) return { subject, claims: account };
  const emails = await ask(http, provider, "the list of addresses", `${userinfoUrl}/emails`, accessToken);
  return { subject, claims: { ...account, emails: emails.status === 200 ? emails.body : [] } };
}

function ask(
  http: OutgoingHttp,
  { timeoutMs }: Provider,
  name: string,
  url: string,
  accessToken: string,
): Promise<ProviderHttpAnswer> {
  return askProvider(http, name, url, { headers: { authorization: `Bearer ${accessToken}` }, timeoutMs });
}
