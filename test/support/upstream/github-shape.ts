import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { UpstreamAccount, UpstreamClient, UpstreamCommand } from "./commands.ts";
import { setTime, startProviderServer } from "./provider-server.ts";
import { readBody, readChoice, signInPage } from "./sign-in-page.ts";

/** An authorisation code, until it is exchanged. */
interface Grant {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: string;
  readonly challenge: string | null;
  readonly subject: string;
}

/**
 * Starts an OAuth 2 server without ID tokens, in the shape of GitHub's: errors have status 200, the token's answer is a form
 * unless JSON is asked for, scopes are told with commas, addresses are at a place of their own, and who sends no user agent is
 * refused. Claims of an account: those of `/user`, and `emails` for the list of `/user/emails`.
 * https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 */
export async function startGitHubShape() {
  const server = await startProviderServer();
  const accounts = new Map<string, UpstreamAccount>();
  const clients = new Map<string, UpstreamClient>();
  const codes = new Map<string, Grant>();
  const tokens = new Map<string, Grant>();

  const authorize = async (url: URL, request: IncomingMessage, response: ServerResponse) => {
    const query = url.searchParams;
    const client = clients.get(query.get("client_id") ?? "");
    if (client === undefined) return send(response, 404, "text/html", "<h1>Not Found</h1>");
    const redirectUri = query.get("redirect_uri") ?? client.redirectUris[0] ?? "";
    if (!client.redirectUris.includes(redirectUri)) {
      return send(
        response,
        200,
        "text/html",
        "<h1>redirect_uri is not associated with this application</h1>",
      );
    }
    if (request.method !== "POST") return send(response, 200, "text/html", signInPage("Sign in to GitHub"));
    const choice = await readChoice(request);
    const back = new URL(redirectUri);
    if (choice.consents) {
      const code = randomBytes(10).toString("hex");
      codes.set(code, {
        clientId: client.clientId,
        redirectUri,
        scope: (query.get("scope") ?? "").split(/[ ,]+/).join(","),
        challenge: query.get("code_challenge"),
        subject: choice.subject,
      });
      back.searchParams.set("code", code);
    } else {
      back.searchParams.set("error", "access_denied");
      back.searchParams.set("error_description", "The user has denied your application access.");
    }
    const state = query.get("state");
    if (state !== null) back.searchParams.set("state", state);
    // https://docs.github.com/en/apps/github-authentication-discovery-endpoints
    back.searchParams.set("iss", `${server.url}/login/oauth`);
    response.writeHead(302, { location: back.href }).end();
  };

  const exchange = async (request: IncomingMessage, response: ServerResponse) => {
    const answer = (fields: Record<string, string>) =>
      request.headers.accept?.includes("application/json")
        ? sendJson(response, 200, fields)
        : send(response, 200, "application/x-www-form-urlencoded", new URLSearchParams(fields).toString());
    const form = new URLSearchParams(await readBody(request));
    const client = clients.get(form.get("client_id") ?? "");
    if (client === undefined || client.clientSecret !== form.get("client_secret")) {
      return answer({
        error: "incorrect_client_credentials",
        error_description: "The client_id and/or client_secret passed are incorrect.",
      });
    }
    const code = form.get("code") ?? "";
    const grant = codes.get(code);
    codes.delete(code);
    const verifier = form.get("code_verifier") ?? "";
    const isVerified =
      grant?.challenge === null ||
      grant?.challenge === createHash("sha256").update(verifier).digest("base64url");
    if (grant === undefined || grant.clientId !== client.clientId || !isVerified) {
      return answer({
        error: "bad_verification_code",
        error_description: "The code passed is incorrect or expired.",
      });
    }
    if (grant.redirectUri !== form.get("redirect_uri")) {
      return answer({
        error: "redirect_uri_mismatch",
        error_description: "The redirect_uri MUST match the registered callback URL for this application.",
      });
    }
    const token = `gho_${randomBytes(18).toString("hex")}`;
    tokens.set(token, grant);
    answer({ access_token: token, scope: grant.scope, token_type: "bearer" });
  };

  const readApi = (path: string, request: IncomingMessage, response: ServerResponse) => {
    if (request.headers["user-agent"] === undefined) {
      return send(response, 403, "text/plain", "Request forbidden by administrative rules.");
    }
    const [, token = ""] = /^(?:bearer|token) (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
    const grant = tokens.get(token);
    if (grant === undefined) return sendJson(response, 401, { message: "Bad credentials" });
    const scopes = grant.scope.split(",");
    const { emails = [], ...claims } = accounts.get(grant.subject)?.claims ?? {};
    // An id of GitHub is a number.
    const id = /^\d{1,15}$/.test(grant.subject) ? Number(grant.subject) : grant.subject;
    if (path === "/user") return sendJson(response, 200, { login: grant.subject, ...claims, id });
    if (scopes.includes("user:email") || scopes.includes("user")) return sendJson(response, 200, emails);
    sendJson(response, 404, { message: "Not Found" });
  };

  server.serve((request, response) => {
    const url = new URL(request.url ?? "/", server.url);
    const done = async () => {
      if (url.pathname === "/login/oauth/authorize") return await authorize(url, request, response);
      if (url.pathname === "/login/oauth/access_token" && request.method === "POST") {
        return await exchange(request, response);
      }
      if (url.pathname === "/user" || url.pathname === "/user/emails") {
        return readApi(url.pathname, request, response);
      }
      sendJson(response, 404, { message: "Not Found" });
    };
    done().catch((error: unknown) => send(response, 500, "text/plain", String(error)));
  });

  return {
    url: server.url,
    carryOut: async (command: UpstreamCommand): Promise<unknown> => {
      switch (command.do) {
        case "set_account":
          accounts.set(command.account.subject, command.account);
          return {};
        case "set_client":
          clients.set(command.client.clientId, command.client);
          return {};
        case "set_down":
          server.setDown(command.down);
          return {};
        case "rotate_keys":
          return {};
        case "count_requests":
          return Object.fromEntries(server.counts);
        case "set_time":
          setTime(command.offsetMs);
          return {};
      }
    },
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json; charset=utf-8", JSON.stringify(body));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type }).end(body);
}
