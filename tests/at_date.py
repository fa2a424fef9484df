"""Runs a command as on a computer whose clock shows another date: `python -m tests.at_date 2026-12-24T10:00 make test`.

Every program that the command starts reads the wrong time from a library named in /etc/ld.so.preload, in a view of /etc
of its own: no other program of the computer sees it. Needs Linux, root, a C compiler, and a kernel with overlayfs.
"""

import os
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from tests.fixtures.wrong_clock import build_wrong_clock

_RUN_IN_OWN_VIEW = """
mount -t tmpfs tmpfs "$0" && mkdir "$0/etc" "$0/work" && echo "$1" > "$0/etc/ld.so.preload" &&
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/work" /etc && shift && date && exec "$@"
"""


def main() -> None:
    """Replace this process by the command."""
    try:
        at = datetime.fromisoformat(sys.argv[1]).astimezone()
    except ValueError:
        sys.exit(f"invalid date {sys.argv[1]!r}: expected a local time such as 2026-12-24T10:00")
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("cc") is None:
        sys.exit("another date needs Linux, root and a C compiler called cc")
    folder = Path(tempfile.mkdtemp(prefix="tickwork-at-date-"))
    folder.chmod(0o755)
    view = folder / "view"
    view.mkdir()
    wrong_by = round((at - datetime.now().astimezone()).total_seconds())
    library = build_wrong_clock(folder, for_all_by=wrong_by)
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", _RUN_IN_OWN_VIEW, str(view), str(library), *sys.argv[2:]])


if __name__ == "__main__":
    main()
