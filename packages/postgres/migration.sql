-- The table of @cache/postgres, schema version 1.
begin;
-- One after the other, where several run it at once.
select pg_advisory_xact_lock(hashtext('@cache/postgres'));

create table if not exists "public"."cache" (
  -- Wide columns first: no bytes are lost to alignment.
  expires_at timestamptz,
  written_at timestamptz not null default statement_timestamp(),
  -- The value where it is a whole number: counters are added to here, and `value` keeps the rest of the item.
  number bigint,
  -- An item without a value yet: it marks a load that is running.
  placeholder boolean not null default false,
  key text collate "C" not null primary key,
  version text collate "C" not null,
  value bytea not null,
  -- The whole key where it is too long for an index entry; `key` then ends in its hash.
  long_key text collate "C"
) with (
  -- Room on every page for new versions of its rows, which then need no new index entry (HOT updates).
  fillfactor = 80,
  -- Dead rows are a cache's daily work: vacuum after 1 % of them, not after 20 %, and do not pause.
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_delay = 0
);
-- Fails where the name is that of another kind of table, which then stays as it was.
select expires_at, written_at, number, placeholder, key, version, value, long_key from "public"."cache" limit 0;
comment on table "public"."cache" is '@cache/postgres schema 1';

commit;
