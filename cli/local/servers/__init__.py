"""The embedded servers: Postgres and Valkey, and the broker of one's own."""
