/** What people read of other providers that they sign in with. The numbers are as in user-messages.ts. */
import { error, info, type UserMessage } from "./user-message.ts";

/** The button that goes on at a provider, in a login or a registration. */
export const continueWith = (provider: string): UserMessage =>
  info(1010002, `Continue with ${provider}`, { provider });

/** The button that links an account at a provider. */
export const linkProvider = (provider: string): UserMessage =>
  info(1050002, `Link ${provider}`, { provider });

/** The heading of the accounts at other providers. */
export const providersTitle = (): UserMessage => info(9000700, "Linked accounts");

/** Why somebody who came from a provider signs in to the account that is there. */
export const proveToLink = (provider: string): UserMessage =>
  info(
    9000701,
    `There's already an account with your address. Sign in to it once, and ${provider} will be linked to it.`,
    { provider },
  );

/** A provider that does not answer. */
export const providerUnavailable = (provider: string): UserMessage =>
  error(9000702, `${provider} can't be reached right now. Try again later, or choose another way.`, {
    provider,
  });

/** A provider, or a person there, that has not agreed. */
export const providerDenied = (provider: string): UserMessage =>
  error(9000703, `${provider} didn't sign you in. Try again, or choose another way.`, { provider });

/** An answer that is not right. */
export const providerAnswerInvalid = (provider: string): UserMessage =>
  error(9000704, `This answer from ${provider} can no longer be used. Start again.`, { provider });

/** Nobody here has the account at the provider, and no account can be made. */
export const notLinked = (provider: string): UserMessage =>
  error(
    9000705,
    `No account here is linked to that ${provider} account. Sign in another way, then link it in your settings.`,
    { provider },
  );

/** The account at the provider is another one's. */
export const otherAccount = (provider: string): UserMessage =>
  error(9000706, `That ${provider} account isn't linked to the account you need here. Use the one that is.`, {
    provider,
  });

/** The title where somebody who came from a provider fills in what is missing. */
export const almostThereTitle = (): UserMessage => info(9000707, "Almost there");

/** What to do there. */
export const almostThereHelp = (provider: string): UserMessage =>
  info(9000708, `This is what ${provider} told us about you. Fill in what's missing.`, { provider });

/** The button that makes the account. */
export const createAccountLabel = (): UserMessage => info(9000709, "Create account");

/** An account at a provider that is not configured any more. */
export const providerGone = (): UserMessage =>
  info(9000710, "You can't sign in with it any more: it's no longer offered here.");

/** Beside the button of a provider that did not answer last. */
export const providerAway = (provider: string): UserMessage =>
  info(9000711, `${provider} couldn't be reached a moment ago.`, { provider });

/** Beside the button of the provider that this browser signed in with last. */
export const lastUsed = (): UserMessage => info(9000712, "Last used");

/** No more accounts at other providers can be linked. */
export const accountsTooMany = (most: number): UserMessage =>
  error(9000713, `Your account is already linked with ${most} others. Remove one first.`, { most });
