"""The embedded servers, Postgres and Valkey, and the check of a broker named by BROKER_URL."""
