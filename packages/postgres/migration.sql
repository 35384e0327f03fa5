-- The table of @cache/postgres, schema version 1.
begin isolation level read committed;
-- Concurrent migrations run one after the other.
select pg_advisory_xact_lock(hashtext('@cache/postgres'));

create table if not exists "public"."cache" (
  -- Wide columns first: no bytes are lost to alignment.
  expires_at timestamptz,
  written_at timestamptz not null default statement_timestamp(),
  -- The value where it is a whole number: SQL adds to counters here; `value` keeps the rest of the item.
  number bigint,
  -- An item without a value: it marks a running load.
  placeholder boolean not null default false,
  key text collate "C" not null primary key,
  version text collate "C" not null,
  value bytea not null,
  -- The whole key where it is too long for an index entry; `key` then ends with its hash.
  long_key text collate "C"
) with (
  -- Space on every page for new versions of its rows, which then need no new index entry (HOT updates).
  fillfactor = 80,
  -- A cache constantly produces dead rows: vacuum after 1 % of them, not after 20 %, and do not pause.
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_delay = 0
);
-- Fails, and changes nothing, where the name belongs to another kind of table.
select expires_at, written_at, number, placeholder, key, version, value, long_key from "public"."cache" limit 0;
comment on table "public"."cache" is '@cache/postgres schema 1';

commit;
