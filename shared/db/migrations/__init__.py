"""Run by Alembic, one file a step."""
