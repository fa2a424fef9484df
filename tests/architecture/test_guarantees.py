"""Every promise in docs/explanation/guarantees.md names a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_promise_names_a_test_that_exists() -> None:
    lines = (
        (ROOT / "docs" / "explanation" / "guarantees.md").read_text().split("## What is not promised")[0].splitlines()
    )
    promises = [line for line in lines if line.startswith("| ") and not line.startswith("| Promise")]
    tests = {
        f"{file.name}::{name}"
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    assert promises
    for line in promises:
        named = re.findall(r"`(test_\w+\.py::test_\w+)`", line)
        assert named, line
        assert set(named) <= tests, line
