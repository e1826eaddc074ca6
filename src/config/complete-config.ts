import type { Message } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type {
  Config,
  ForwardAuthListener,
  HttpDeliveryConfig,
  OidcMappingConfig,
  OidcProviderConfig,
  PostmarkReportsConfig,
  Secret,
  SendGridReportsConfig,
  SesReportsConfig,
  SmtpConfig,
  Tls,
} from "../../gen/ostiary/config/v1/config_pb.js";

/**
 * The configuration after loading: every section is there and every key that has a default has a value. What may
 * still be absent means something by it: a listener's `tls`, the database's `url`, the courier's providers and who reports to it, what a preset fills in.
 * Frozen.
 */
export type CompleteConfig = Complete<Config>;

type Complete<T> = { readonly [Key in keyof T & string]: CompleteField<T[Key]> };

type ReportsOfProvider = SesReportsConfig | PostmarkReportsConfig | SendGridReportsConfig;

type CompleteField<T> =
  NonNullable<T> extends Tls | Secret | OidcMappingConfig
    ? T
    : NonNullable<T> extends OidcProviderConfig[]
      ? readonly Complete<OidcProviderConfig>[]
      : NonNullable<T> extends SmtpConfig | HttpDeliveryConfig | ReportsOfProvider | ForwardAuthListener
        ? Complete<NonNullable<T>> | undefined
        : NonNullable<T> extends Duration
          ? Duration
          : NonNullable<T> extends Message
            ? Complete<NonNullable<T>>
            : CompleteChoice<T>;

/** A oneof: the member that is set is complete. */
type CompleteChoice<T> = T extends { readonly case: infer Case extends string; readonly value: infer Value }
  ? { readonly case: Case; readonly value: Value extends Message ? Complete<Value> : Value }
  : T;
