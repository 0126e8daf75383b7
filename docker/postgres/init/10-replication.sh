#!/bin/sh
# Run once by the image on the primary's empty data folder: what a replica and a collector need.
set -eu

psql --set=ON_ERROR_STOP=1 --set=password="$SNOWSHED_POSTGRES_PASSWORD" --username postgres <<'SQL'
CREATE ROLE replicator REPLICATION LOGIN PASSWORD :'password';
CREATE ROLE snowshed LOGIN PASSWORD :'password' IN ROLE pg_monitor;
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA IF NOT EXISTS snowshed;
CREATE TABLE IF NOT EXISTS snowshed.heartbeat (
  source text PRIMARY KEY,
  version bigint NOT NULL,
  written_at double precision NOT NULL,
  writer text NOT NULL,
  row_period double precision NOT NULL
) WITH (fillfactor = 10);
GRANT USAGE ON SCHEMA snowshed TO snowshed;
GRANT SELECT, INSERT, UPDATE ON snowshed.heartbeat TO snowshed;
SQL

# The image's own rule "host all all all" does not cover replication.
echo "host replication replicator samenet scram-sha-256" >>"$PGDATA/pg_hba.conf"
