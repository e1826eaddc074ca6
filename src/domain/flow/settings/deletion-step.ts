import { button, type Node } from "../../form/form.ts";
import type { Identity } from "../../identity/identity.ts";
import { never } from "../../instant.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";

/**
 * The step about the end of an account that its settings offer: none where it is not allowed. What is scheduled can be
 * cancelled even where it is no longer allowed.
 */
export function deletionStep(
  tenant: Tenant,
  identity: Pick<Identity, "purgeAt">,
): "deleteAccount" | "keepAccount" | undefined {
  if (identity.purgeAt !== never) return "keepAccount";
  return tenant.settings.settings.accountDeletion.enabled ? "deleteAccount" : undefined;
}

/** The button that keeps an account which is to be deleted. */
export function keepNode(): Node {
  return button("keepAccount", texts.keepAccountLabel(), true);
}

/** The button that has an account deleted, with what that means. */
export function deleteNode(tenant: Tenant): Node {
  const { graceMs } = tenant.settings.settings.accountDeletion;
  return {
    name: "deleteAccount",
    step: "deleteAccount",
    section: "deletion",
    label: texts.deleteAccountLabel(),
    help: texts.deletionWarning(graceMs),
    messages: [],
    element: {
      kind: "button",
      importance: "secondary",
      danger: true,
      confirmation: texts.deletionQuestion(graceMs),
      skipsRequired: true,
    },
  };
}
