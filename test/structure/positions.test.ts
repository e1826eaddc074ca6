import type { DescMessage } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { FlowCompletedSchema, SavedSchema } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { services } from "../../src/app-services.ts";

/** What the log of changes tells of. */
const logged = /^ostiary\.(session\.v1\.Session|identity\.v1\.(Identity|Credential)|access\.v1\.ApiKey)$/;
const reads = /^(Get|List|LookUp|Check|Explain|Watch)/;
/** Methods of the same services that change nothing of these. */
const others = /^(IssueToken|CreateRecoveryLink|(Batch)?Send(Recovery|Verification)Messages?)$/;

const methods = services
  .filter(({ name }) => /^(Session|SessionAdmin|Identity|ApiKey)Service$/.test(name))
  .flatMap((service) => service.methods)
  .map((method) => [`${method.parent.name}.${method.name}`, method] as const);

// A caller that has made a change hands its position to the next read, of any method.
describe("where the log of changes stands", () => {
  const readers = methods.filter(([, { name, output }]) => reads.test(name) && shows(output));
  const writers = methods.filter(([, { name }]) => !reads.test(name) && !others.test(name));

  test("is a matter of these methods", () => {
    expect(readers.map(([name]) => name).toSorted()).toEqual([
      "ApiKeyService.GetApiKey",
      "ApiKeyService.ListApiKeys",
      "IdentityService.GetIdentity",
      "IdentityService.ListCredentials",
      "IdentityService.ListIdentities",
      "IdentityService.LookUpIdentity",
      "SessionAdminService.GetSession",
      "SessionAdminService.ListSessions",
      "SessionService.CheckSession",
      "SessionService.GetCurrentSession",
      "SessionService.ListOwnSessions",
    ]);
    expect(writers.length).toBeGreaterThanOrEqual(20);
  });

  test.each(readers)("can be asked of %s", (_name, { input }) => {
    expect(positionsOf(input)).toEqual(["at_least"]);
  });

  test.each(writers)("is answered by %s", (_name, { output }) => {
    expect(positionsOf(output)).toEqual(["revision"]);
  });

  test.each([FlowCompletedSchema, SavedSchema])(
    "is answered by a submit with the outcome $name",
    (outcome) => {
      expect(positionsOf(outcome)).toEqual(["revision"]);
    },
  );
});

// The one who ends something sees what has become of it, without another call.
describe("the answer to every write", () => {
  const written = services
    .flatMap((service) => service.methods)
    .filter(({ name }) => !reads.test(name))
    .map((method) => [`${method.parent.name}.${method.name}`, method] as const);

  test.each(written)("%s says something besides where the log stands", (name, { output }) => {
    const said = output.fields.filter((field) => field.name !== "revision");
    // What was deleted is not there to be shown.
    expect(said.length > 0).toBe(!/\.Delete/.test(name));
  });
});

function shows(output: DescMessage): boolean {
  return output.fields.some(({ message }) => message !== undefined && logged.test(message.typeName));
}

function positionsOf(message: DescMessage): readonly string[] {
  return message.fields
    .filter((field) => field.message?.typeName === "ostiary.common.v1.Position")
    .map((field) => field.name)
    .filter((name) => name !== "position");
}
