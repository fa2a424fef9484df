"""The only wheel that is built is the editable one, which puts the checkout on a path (decision 13)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".uv" / "bin" / "uv"  # the one of make


def run_uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv without a network: it has the build back end in its cache since it installed the project."""
    if not UV.exists():
        pytest.skip("make has not installed uv here")
    command = [str(UV), *arguments, "--offline", "--python", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "not found in the cache" in done.stderr:
        pytest.skip(f"the build back end is not in uv's cache: {done.stderr.strip()}")
    return done


def test_a_standard_wheel_is_not_built(tmp_path: Path) -> None:
    done = run_uv("build", "--wheel", "--out-dir", str(tmp_path), str(ROOT))

    assert 0 != done.returncode
    assert "Tickwork is an application run from its checkout, and builds no wheel" in done.stderr
    assert [] == list(tmp_path.glob("*.whl"))


def test_an_editable_installation_puts_the_checkout_on_the_path_and_copies_no_package(tmp_path: Path) -> None:
    done = run_uv("pip", "install", "--no-deps", "--target", str(tmp_path), "--editable", str(ROOT))

    assert 0 == done.returncode, done.stderr
    assert {str(ROOT)} == {line for file in tmp_path.glob("*.pth") for line in file.read_text().splitlines()}
    assert [] == [str(file) for file in tmp_path.rglob("*.py")]
