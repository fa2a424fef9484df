"""`tickwork doctor` on a computer that may fall asleep while the stack runs."""

import json

import pytest

from tests.integration.cli.shell import Shell


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        ({"state": "held", "reason": ""}, "fine", "inhibited while the stack runs"),
        ({"state": "asked", "reason": ""}, "fine", "not answered yet"),
        ({"state": "failed", "reason": "Access denied"}, "warning", "not inhibited (Access denied): turn automatic"),
    ],
)
def test_doctor_says_whether_this_computer_may_fall_asleep_and_what_to_do(
    half_dead: Shell, found: dict[str, str], state: str, words: str
) -> None:
    file = half_dead.home / "state.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sleep": found}))
    checks = {one["name"]: one for one in half_dead.json("doctor", expected=1)["checks"]}

    assert state == checks["sleep"]["state"]
    assert words in checks["sleep"]["detail"]


def test_doctor_names_the_program_that_is_missing(shell: Shell) -> None:
    checks = {one["name"]: one for one in shell.json("doctor", expected=0, PATH="/nowhere")["checks"]}

    assert "warning" == checks["sleep"]["state"]
    assert "is not installed, so `up` cannot keep this computer awake" in checks["sleep"]["detail"]
