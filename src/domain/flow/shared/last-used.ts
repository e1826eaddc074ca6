import { lastUsed } from "../../user-message/provider-messages.ts";
import type { Flow, FlowCaller, MethodOffer } from "./flow.ts";

/**
 * Marks the provider that the browser signed in with last, where a login or a registration offers it.
 *
 * Security rule (SR-SOCIAL-12): the browser says so itself. What somebody has typed changes nothing, so nobody learns from the mark how
 * another person signs in.
 */
export function withLastUsed(flow: Flow, { lastProvider }: Pick<FlowCaller, "lastProvider">): Flow {
  const { kind, client, stage, form } = flow;
  const isMarked = client === "browser" && (kind === "login" || kind === "registration");
  if (!isMarked || lastProvider === undefined || stage === undefined || !("offers" in stage)) return flow;
  const isLast = ({ facts }: Pick<MethodOffer, "facts">) => facts?.provider === lastProvider;
  const offers = stage.offers as readonly MethodOffer[];
  if (!offers.some(isLast)) return flow;
  const nodes = form.nodes.map((node) =>
    node.name === "oidc.provider" && "value" in node.element && node.element.value === lastProvider
      ? { ...node, help: lastUsed() }
      : node,
  );
  const marked = offers.map((offer) =>
    isLast(offer) ? { ...offer, facts: { ...offer.facts, lastUsed: true } } : offer,
  );
  return { ...flow, form: { ...form, nodes }, stage: { ...stage, offers: marked } as Flow["stage"] };
}
