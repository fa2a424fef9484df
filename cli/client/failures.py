"""What a command says of an error that ended it, or that ended one reading of a live screen."""

from shared.errors import TickworkError


def describe_failure(error: Exception) -> str:
    """Return an error in a sentence: one of ours as it is, one of Postgres with what to do, any other as a fault."""
    if isinstance(error, TickworkError):
        return str(error)
    return _describe_database_error(error) or _describe_fault(error)


def _describe_database_error(error: Exception) -> str | None:
    # Compare class names: importing psycopg and SQLAlchemy here would slow down the commands that need neither.
    cause = getattr(error, "orig", error)
    kinds = {base.__name__ for base in type(cause).__mro__ if base.__module__.split(".")[0] == "psycopg"}
    if "LockNotAvailable" in kinds:
        from cli.client.locks import describe_locks  # noqa: PLC0415  # of a failure alone

        return describe_locks()
    if "OperationalError" in kinds:
        return f"the database does not answer: {str(cause).strip()}"
    if kinds & {"UndefinedTable", "UndefinedColumn"}:
        first = str(cause).strip().partition("\n")[0]
        return f"the database schema is out of date ({first}): run `tickwork db upgrade`"
    return None


def _describe_fault(error: Exception) -> str:
    return f"{error or 'no message'} ({type(error).__name__}): a fault of Tickwork; --traceback shows where"
