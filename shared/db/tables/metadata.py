"""Shared by all tables: the metadata with the naming of constraints, and columns for instants."""

from sqlalchemy import Column, DateTime, MetaData, func

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def at_column(name: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
    """Return a column for an instant; with `now` its default is the time of the insert."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=func.now() if now else None)
