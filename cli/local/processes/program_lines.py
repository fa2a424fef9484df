"""Which lines of the programs a person needs to see, and which errors of Postgres tell of nothing wrong."""

import re

# As `shared.log` writes them; a traceback that follows is in the log file.
_OUR_ERROR = re.compile(r"\d\d:\d\d:\d\d (ERROR|CRITICAL) ")
_POSTGRES_RECORD = re.compile(r"(LOG|ERROR|WARNING|FATAL|PANIC|NOTICE|INFO|DEBUG\d?): ")
# Of two jobs of one sequence that are claimed at the same moment, this index lets one run, and the other claim is
# repeated: shared.ledger.claims.
_LOST_CLAIM = '"uq_job_sequence_key_running"'


def is_error(line: str) -> bool:
    """Whether a line of a program of ours tells of an error."""
    return _OUR_ERROR.match(line) is not None


class LostClaimFilter:
    """Finds the lines by which Postgres reports a lost claim: its error, and the detail and statement that follow."""

    def __init__(self) -> None:
        self._is_inside = False

    def __call__(self, line: str) -> bool:
        """Whether the line belongs to such a report; call it with each line of the server, in order."""
        if _POSTGRES_RECORD.match(line):
            self._is_inside = line.startswith("ERROR: ") and _LOST_CLAIM in line
        return self._is_inside
