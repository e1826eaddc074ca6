import { Migration } from "@mikro-orm/migrations";

/** Keeps the keys that sign tokens. The first one is made by the server that needs it. */
export class SigningKeys extends Migration {
  override up(): void | Promise<void> {
    this.addSql(
      `create table "ostiary"."signing_key" ("tenant_id" uuid not null, "ordinal" int not null, "key_id" text not null, "sealed_key" text not null, "created_at" timestamptz(6) not null, "signs_at" timestamptz(6) not null, "ends_at" timestamptz(6) null, primary key ("tenant_id", "ordinal"));`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "ostiary"."signing_key" cascade;`);
  }
}
