/** The required actions of the identity `i`, in their order, without those whose ids the parameter holds. */
export function actionsWithout(ids: string): string {
  return actionsWhere(`NOT (each.action ->> 'id' = ANY (${ids}::text[]))`);
}

/** Whether the identity `i` is asked for all actions whose ids the parameter holds. */
export function areAsked(ids: string): string {
  return `ARRAY(SELECT each ->> 'id' FROM jsonb_array_elements(i.required_actions) each) @> ${ids}::text[]`;
}

/** What an UPDATE of the identity `i` sets where these are done, if there are any. */
export function actionsDone(ids: string): string {
  return `required_actions = ${actionsWithout(ids)},
      revision = i.revision + CASE WHEN ${ids}::text[] = '{}' THEN 0 ELSE 1 END`;
}

/** Those that the server asks for, which an operator leaves as they are. */
export const actionsOfServer = actionsWhere("each.action -> 'setBy' ->> 'kind' = 'server'");

function actionsWhere(condition: string): string {
  return `COALESCE((
      SELECT jsonb_agg(each.action ORDER BY each.ordinal)
      FROM jsonb_array_elements(i.required_actions) WITH ORDINALITY AS each(action, ordinal)
      WHERE ${condition}
    ), '[]')`;
}
