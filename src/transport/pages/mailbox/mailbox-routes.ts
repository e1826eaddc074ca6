import type { Mailbox, MailboxMessage } from "../../../domain/courier/mailbox.ts";
import type { MessageId } from "../../../domain/ids.ts";
import type { Tenants } from "../../../domain/tenant/tenant.ts";
import type { Exchange, HttpHandler, ResponseHeaders } from "../../net/exchange.ts";
import { respondJson } from "../json.ts";
import type { MailboxAccess } from "./mailbox-access.ts";
import {
  closedPage,
  listPage,
  mailDocument,
  mailPolicy,
  messagePage,
  missingPage,
  pagePolicy,
  titleOf,
} from "./mailbox-pages.ts";

interface MailboxRoutesOptions {
  readonly mailbox: Mailbox;
  readonly access: MailboxAccess;
  readonly tenants: Tenants;
}

/** The longest address that there is (RFC 5321). */
const maxRecipientLength = 320;

/** The development mailbox: pages for a browser that was let in, JSON for the command line. */
export function mailboxRoutes(options: MailboxRoutesOptions): ReadonlyMap<string, HttpHandler> {
  const { mailbox, access, tenants } = options;
  const list = (exchange: Exchange, recipient?: string) =>
    mailbox.list(tenants.byHost(exchange.host), recipient);
  const find = async (exchange: Exchange) => {
    const id = new URLSearchParams(exchange.query).get("id") ?? "";
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return undefined;
    return mailbox.find(tenants.byHost(exchange.host), id as MessageId);
  };

  const guarded =
    (isLetIn: (exchange: Exchange) => boolean, refuseOther: HttpHandler) =>
    (handler: HttpHandler): HttpHandler =>
    (exchange, headers) => {
      if (!access.isLocal(exchange)) return refuse(exchange, headers);
      withoutCors(headers);
      return isLetIn(exchange) ? handler(exchange, headers) : refuseOther(exchange, headers);
    };
  const forBrowser = guarded(
    (exchange) => access.hasCookie(exchange),
    (exchange, headers) => respondPage(exchange, headers, closedPage(), 401),
  );
  const forCommandLine = guarded(
    (exchange) => access.hasToken(exchange),
    (exchange, headers) => respondJson(exchange, headers, 401, { error: "token missing" }),
  );

  return new Map<string, HttpHandler>([
    [
      "/mailbox",
      async (exchange, headers) => {
        const query = new URLSearchParams(exchange.query);
        const token = query.get("token");
        // Security rule (SR-MAIL-5): the token leaves the address bar at once, and is worth nothing from then on.
        if (token !== null && exchange.method === "GET" && access.isLocal(exchange)) {
          const cookie = access.redeem(token);
          if (cookie !== undefined) headers["set-cookie"] = cookie;
          headers.location = "/mailbox";
          return exchange.respond({ status: 303, headers });
        }
        await forBrowser(async () => {
          const to = (query.get("to") ?? "").trim().slice(0, maxRecipientLength);
          const page = listPage(await list(exchange, to), { to, refreshing: query.get("refresh") !== "off" });
          headers.etag = page.version;
          respondPage(exchange, headers, page.html);
        })(exchange, headers);
      },
    ],
    [
      "/mailbox/message",
      forBrowser(async (exchange, headers) => {
        const message = await find(exchange);
        if (message === undefined) return respondPage(exchange, headers, missingPage(), 404);
        respondPage(exchange, headers, messagePage(message));
      }),
    ],
    [
      "/mailbox/html",
      forBrowser(async (exchange, headers) => {
        const rendered = (await find(exchange))?.rendered;
        const html = rendered?.channel === "email" ? mailDocument(rendered.html) : "";
        headers["content-security-policy"] = mailPolicy;
        headers["content-type"] = "text/html; charset=utf-8";
        exchange.respond({ status: html === "" ? 404 : 200, headers, body: html });
      }),
    ],
    [
      "/mailbox/messages.json",
      forCommandLine(async (exchange, headers) =>
        respondJson(exchange, headers, 200, { messages: (await list(exchange)).map(toJson) }),
      ),
    ],
    [
      "/mailbox/link.json",
      forCommandLine((exchange, headers) =>
        respondJson(exchange, headers, 200, { path: `/mailbox?token=${access.newLinkToken()}` }),
      ),
    ],
  ]);
}

function toJson({ record, rendered, url }: MailboxMessage): object {
  return {
    id: record.id,
    time: record.createdAt.toISOString(),
    channel: record.channel,
    template: record.template,
    recipient: record.recipient,
    language: record.language,
    state: record.state,
    subject: titleOf(rendered, record.template),
    text: rendered?.text ?? "",
    url,
  };
}

function respondPage(exchange: Exchange, headers: ResponseHeaders, body: string, status = 200): void {
  headers["content-security-policy"] = pagePolicy;
  headers["content-type"] = "text/html; charset=utf-8";
  exchange.respond({ status, headers, body });
}

function refuse(exchange: Exchange, headers: ResponseHeaders): void {
  withoutCors(headers);
  respondJson(exchange, headers, 403, { error: "the mailbox is only for this machine, by its own name" });
}

/** Security rule (SR-MAIL-5): no other origin reads the mailbox, also not one that may call the API. */
function withoutCors(headers: ResponseHeaders): void {
  for (const name of Object.keys(headers)) if (name.startsWith("access-control-")) delete headers[name];
}
