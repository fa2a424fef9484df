"""The form of a log record: for a person or as JSON, one line each, without a secret, with the ids of its job."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from uuid import UUID

import pytest

from shared.log_setup import name_job, set_up_logging

JOB, CAUSE = UUID("01890a5d-ac96-774b-bcce-b302099a8057"), UUID("01890a5d-ac96-774b-bcce-b30200000001")
log = logging.getLogger("a.program")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    found = logging.getLogger()
    handlers, level = found.handlers[:], found.level
    yield found
    found.handlers[:] = handlers
    found.setLevel(level)


def fail(text: str) -> None:
    raise ValueError(text)


def start(root: logging.Logger, form: str) -> io.StringIO:
    """Set up logging in a form, and return what is written from then on."""
    set_up_logging("INFO", form)
    stream = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    return stream


def test_a_line_for_a_person_has_time_level_logger_and_text(root: logging.Logger) -> None:
    stream = start(root, "console")
    log.warning("%s of %s: %s", 1, 2, "Bearer abc.def")
    log.debug("not shown")

    (line,) = stream.getvalue().splitlines()
    assert " WARNING a.program: 1 of 2: Bearer ***" == line[8:]
    assert ":" == line[2] == line[5]


def test_a_record_of_a_job_ends_with_the_ids_that_trace_takes(root: logging.Logger) -> None:
    stream = start(root, "console")
    with name_job(JOB, CAUSE):
        log.info("inside")
    log.info("outside")

    inside, outside = stream.getvalue().splitlines()
    assert inside.endswith("a.program: inside [job 099a8057, cause 00000001]")
    assert outside.endswith("a.program: outside")


def test_json_is_an_object_a_line_with_whole_ids_and_the_traceback(root: logging.Logger) -> None:
    stream = start(root, "json")
    with name_job(JOB, CAUSE):
        try:
            fail("of postgresql://me:secret@127.0.0.1/x\nand more")
        except ValueError:
            log.exception("failed with %r", "a\nb")

    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert {"event", "level", "logger", "timestamp", "job", "cause", "exception"} == set(found)
    assert ("error", "a.program", str(JOB), str(CAUSE)) == tuple(
        found[key] for key in ("level", "logger", "job", "cause")
    )
    assert found["timestamp"].endswith("Z")
    assert "ValueError: of postgresql://me:***@127.0.0.1/x" in found["exception"]
    assert "secret" not in line


def test_a_traceback_for_a_person_follows_its_line_once(root: logging.Logger) -> None:
    stream = start(root, "console")
    try:
        fail("broken")
    except ValueError:
        log.exception("failed")

    assert 1 == stream.getvalue().count("ValueError: broken")
    assert stream.getvalue().splitlines()[0].endswith("a.program: failed")


def test_the_ids_of_a_job_do_not_reach_another_thread(root: logging.Logger) -> None:
    stream = start(root, "console")
    with name_job(JOB, CAUSE):
        thread = threading.Thread(target=log.info, args=("elsewhere",))
        thread.start()
        thread.join(10)

    assert stream.getvalue().splitlines()[0].endswith("a.program: elsewhere")
