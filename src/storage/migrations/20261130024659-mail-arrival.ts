import { Migration } from "@mikro-orm/migrations";

/** Keeps what became of messages that were sent, and the addresses that mail came back from. Nothing is known of what was sent before. */
export class MailArrival extends Migration {
  override up(): void | Promise<void> {
    this.addSql(
      `create table "ostiary"."address_mark" ("tenant_id" uuid not null, "value" text collate "C" not null, "updated_at" timestamptz(6) not null, "bounced_at" timestamptz(6) null, "bounce_reason" text null, "open_at" timestamptz(6) null, "complained_at" timestamptz(6) null, primary key ("tenant_id", "value"));`,
    );

    this.addSql(
      `alter table "ostiary"."message" add "arrival" text null, add "arrival_at" timestamptz(6) null, add "arrival_reason" text null;`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "ostiary"."address_mark" cascade;`);

    this.addSql(
      `alter table "ostiary"."message" drop column "arrival", drop column "arrival_at", drop column "arrival_reason";`,
    );
  }
}
