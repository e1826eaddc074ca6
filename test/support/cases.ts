/** The cases that a rule is about. Throws if there are none: a table without rows would pass whatever the rule. */
export function casesWith<Case>(cases: readonly Case[], isMeant: (each: Case) => boolean): Case[] {
  const meant = cases.filter(isMeant);
  if (meant.length === 0) throw new Error("there is no case of this rule");
  return meant;
}
