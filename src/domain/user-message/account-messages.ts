/** What people read of the addresses of their account, and of where a code or link went. The numbers are as in user-messages.ts. */
import { info, type UserMessage } from "./user-message.ts";

/** The button that leads from a code or link back to what was typed. */
export const anotherAddressLabel = (): UserMessage => info(9000751, "Use another address");

/** The heading of the addresses in the settings. */
export const addressesTitle = (): UserMessage => info(9000752, "Addresses");

/** An address, as the label above its state. */
export const addressName = (address: string): UserMessage => info(9000753, address, { address });

/** Said of the address that messages go to first. */
export const addressPrimary = (): UserMessage => info(9000754, "Verified · primary");

/** Said of an address that is its owner's. */
export const addressVerified = (): UserMessage => info(9000755, "Verified");

/** Said of an address that nobody has proven. */
export const addressUnverified = (): UserMessage => info(9000756, "Not verified");

/** Said of an address that the account does not have yet: a change waits. */
export const addressPending = (): UserMessage => info(9000757, "Not changed yet: confirm it with a code");

/** The link that leads to the verification of an address. */
export const verifyAddressLink = (address: string): UserMessage =>
  info(9000758, `Verify ${address}`, { address });

/** The label of a password that takes the place of another one. */
export const newPasswordLabel = (): UserMessage => info(9000759, "New password");
