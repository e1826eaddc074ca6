import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  ProviderAdminService as Contract,
  TryMappingRequest,
} from "../../../../gen/ostiary/provider/v1/provider_admin_service_pb.js";
import type { MappingExpressions } from "../../../../gen/ostiary/provider/v1/provider_pb.js";
import { domainError } from "../../../domain/errors.ts";
import { callbackUrl } from "../../../domain/method/oidc/oidc-method.ts";
import { type ClaimsMapping, compileMapping } from "../../../domain/provider/mapping.ts";
import { type ProviderClient, providerOf } from "../../../domain/provider/provider.ts";
import { callOf } from "../call.ts";

interface Deps {
  readonly providers: Pick<ProviderClient, "isAvailable">;
}

/** ostiary.provider.v1.ProviderAdminService. */
export class ProviderAdminService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  listProviders(_request: object, context: HandlerContext) {
    const { tenant } = callOf(context);
    return {
      providers: tenant.settings.providers.map((provider) => ({
        id: provider.id,
        name: provider.name,
        preset: provider.preset,
        issuer: provider.issuer,
        available: this.#deps.providers.isAvailable(provider),
        callbackUrl: callbackUrl(tenant, provider),
      })),
    };
  }

  tryMapping({ providerId, claims, expressions }: TryMappingRequest, context: HandlerContext) {
    const provider = providerOf(callOf(context).tenant.settings.providers, providerId);
    if (provider === undefined) throw domainError("PROVIDER_NOT_FOUND", { providerId });
    if (expressions === undefined) return explain(provider.mapping, claims);
    const compiled = compileMapping(withoutGaps(expressions));
    return "mapping" in compiled ? explain(compiled.mapping, claims) : { problems: [...compiled.problems] };
  }
}

function explain(mapping: ClaimsMapping, claims: TryMappingRequest["claims"] = {}) {
  const { mapped, leftOut, ignoredClaims } = mapping.explain(claims);
  const verifiedAddresses = [...mapped.verifiedAddresses];
  return { ...mapped, verifiedAddresses, leftOut: [...leftOut], ignoredClaims: [...ignoredClaims] };
}

function withoutGaps(expressions: MappingExpressions) {
  const { traits = {}, publicMetadata = {}, adminMetadata = {}, verifiedAddresses, account } = expressions;
  return { traits, publicMetadata, adminMetadata, verifiedAddresses, account };
}
