import type { LoginTypes } from "../../domain/flow/login/state.ts";
import type { RecoveryTypes } from "../../domain/flow/recovery/state.ts";
import type { RegistrationTypes } from "../../domain/flow/registration/state.ts";
import type { SettingsTypes } from "../../domain/flow/settings/state.ts";
import type { VerificationTypes } from "../../domain/flow/verification/state.ts";
import type { FlowKind } from "../../domain/kinds.ts";
import type { PreviewState, SampleFlow } from "../preview-state.ts";

interface TypesOf {
  readonly login: LoginTypes;
  readonly registration: RegistrationTypes;
  readonly verification: VerificationTypes;
  readonly recovery: RecoveryTypes;
  readonly settings: SettingsTypes;
}

/** What a sample of a kind of flow says beside its state. */
type Beside<Kind extends FlowKind> = Omit<SampleFlow, "kind" | "state" | "purpose"> & {
  readonly purpose?: TypesOf[Kind]["Purpose"];
};

/** Makes the states of one kind of flow, each with a state that its table has. */
export function statesOf<Kind extends FlowKind>(kind: Kind, usualPurpose: TypesOf[Kind]["Purpose"]) {
  return (
    name: string,
    title: string,
    state: () => TypesOf[Kind]["State"] | Promise<TypesOf[Kind]["State"]>,
    beside: () => Beside<Kind> = () => ({}),
  ): PreviewState => ({
    name: `${kind}/${name}`,
    page: kind,
    title,
    shows: {
      kind: "flow",
      flow: async () => ({ purpose: usualPurpose, ...beside(), kind, state: await state() }),
    },
  });
}
