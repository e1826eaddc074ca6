import type { PreviewState } from "../preview-state.ts";
import type { Samples } from "../samples.ts";
import { statesOf } from "./flow-states.ts";

/** The states of the schemas of the configuration: a field for each trait, empty, and the account of somebody who has filled in none. */
export function ownSchemaStates(samples: Samples, schemaIds: readonly string[]): readonly PreviewState[] {
  return schemaIds.flatMap((id, place) => {
    const name = place === 0 ? "own-schema" : `own-schema-${place + 1}`;
    const title = `Your schema ${JSON.stringify(id)}`;
    const login = statesOf("login", { kind: "sign_in" });
    const registration = statesOf("registration", { schemaId: id });
    const settings = statesOf("settings", { kind: "settings" });
    return [
      // What people sign in with is asked of all schemas at once.
      ...(place === 0
        ? [
            login(
              name,
              "Your schemas",
              () => ({ at: "choose_method" }),
              () => ({ schema: "own" }),
            ),
          ]
        : []),
      registration(
        name,
        title,
        () => ({ at: "fill_form" }),
        () => ({ schema: "own" }),
      ),
      settings(
        name,
        title,
        () => ({ at: "change_settings" }),
        () => ({
          schema: "own",
          identity: samples.person({
            schemaId: id,
            traits: {},
            identifiers: [],
            displayName: "Ada Lovelace",
          }),
          credentials: [samples.password()],
        }),
      ),
    ];
  });
}
