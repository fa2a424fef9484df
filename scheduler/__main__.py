"""The scheduler's programs: `python -m scheduler beat` and `python -m scheduler relay`."""

import sys

from shared.config import load_settings
from shared.log_setup import set_up_logging


def main() -> None:
    """Run the program named on the command line until SIGTERM."""
    program = sys.argv[1] if len(sys.argv) > 1 else ""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    if program == "relay":
        from scheduler import relay  # noqa: PLC0415  # each program loads only what it needs

        relay.run(settings)
    elif program == "beat":
        from scheduler import beat  # noqa: PLC0415  # as above

        beat.run(settings)
    else:
        raise SystemExit(f"tickwork: invalid scheduler program {program!r}: expected beat or relay")


if __name__ == "__main__":
    main()
