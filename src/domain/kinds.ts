/** The kinds that all rooms of the domain know each other by. */

/** What a flow is for. */
export type FlowKind = "login" | "registration" | "verification" | "recovery" | "settings";

/** The kind of client that a flow is for. */
export type FlowClient = "browser" | "native";

/** The ways to get through a flow. */
export type MethodKind = CredentialKind | ChallengeKind;

/** The kinds of credentials, each of the method that it is named for. */
export type CredentialKind = "password" | "totp" | "backup_code" | "passkey" | "sms" | "oidc";

/** The kinds of challenges: secrets that are sent to an address. */
export type ChallengeKind = "code" | "link";
