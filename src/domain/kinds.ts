/** The kinds that all rooms of the domain know each other by. */

/** What a flow is for. */
export type FlowKind = "login" | "registration" | "verification" | "recovery" | "settings";

/** The kind of client that a flow is for. */
export type FlowClient = "browser" | "native";

/** The ways to get through a flow. */
export type MethodKind = "password" | "code" | "link";
