"""Requests to a running `up` to restart a program: a private file each, which `up` removes when it acts."""

from cli.local.home.folder import Home

_SUFFIX = ".restart"


def request_restart(home: Home, program: str) -> None:
    """Ask the `up` of this home to restart a program."""
    (home.run / f"{program}{_SUFFIX}").touch(mode=0o600)


def take_restart_requests(home: Home) -> list[str]:
    """Return the programs to restart, and forget the requests."""
    found = sorted(home.run.glob(f"*{_SUFFIX}"))
    for file in found:
        file.unlink(missing_ok=True)
    return [file.name.removesuffix(_SUFFIX) for file in found]
