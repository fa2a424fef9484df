"""Postgres, the system of record: connections, tables, migrations and the SQL of each subject."""
