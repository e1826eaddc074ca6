/** Documents to accept, in logins and settings. */
import { type Node, nodeName } from "../../form/form.ts";
import type { TermsVersion } from "../../identity/required-actions.ts";
import type { Tenant, TermsDocument } from "../../tenant/tenant.ts";
import { acceptTerms, termsLink } from "../../user-message/action-messages.ts";

/** The version that was asked for, with title and address of now; the id alone where it is not configured any more. */
export function documentOf({ settings }: Tenant, { document, version }: TermsVersion): TermsDocument {
  const configured = settings.terms.find(({ id }) => id === document);
  return { id: document, version, title: configured?.title ?? document, url: configured?.url ?? "" };
}

/** The document, and the button that accepts it. */
export function termsNodes({
  actionId,
  document: { title, version, url },
}: {
  readonly actionId: string;
  readonly document: TermsDocument;
}): readonly Node[] {
  const step = "acceptTerms";
  const link = {
    name: nodeName(step, "document"),
    step,
    label: termsLink(title, version),
    messages: [],
    element: { kind: "anchor", url },
  } as const;
  const accept = {
    name: nodeName(step, "actionId"),
    step,
    label: acceptTerms(title),
    messages: [],
    element: { kind: "button", value: actionId },
  } as const;
  return url === "" ? [accept] : [link, accept];
}
