"""The command line of the conformance run: `python -m simulator.conformance --url URL --user NAME ...`.

The key comes from TICKWORK_VENUE_KEY, which `tickwork conformance` sets. Exit code 0: nothing differs; 1: something
does; 2: bad input, an unreachable gateway, or a question that an error left open.
"""

import logging
import signal
import sys
from types import FrameType

from shared.config import environment
from shared.errors import SettingsError, TickworkError
from shared.log import mask_secrets
from simulator.conformance.options import ConformanceOptions, parse_options
from simulator.conformance.order_session import ENDINGS
from simulator.conformance.report import clean_results, make_markdown, print_json, print_results
from simulator.conformance.results import CheckResult, CheckVerdict
from simulator.conformance.run import ask_all, start_run

_DIFFERS, _FAILED = 1, 2


def main() -> int:
    """Ask everything, print the table, write the report, and return the exit code."""
    logging.basicConfig(handlers=[logging.NullHandler()])
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    try:
        return _run(parse_options(None, environment()))
    except TickworkError as error:
        sys.stderr.write(f"tickwork: {mask_secrets(str(error))}\n")
    except KeyboardInterrupt:  # before the first question, or while the report is written
        sys.stderr.write("interrupted\n")
    return _FAILED


def _run(options: ConformanceOptions) -> int:
    if not options.report.parent.is_dir():
        raise SettingsError(f"cannot write {options.report}: the folder does not exist, give another --report")
    context = start_run(options)
    results: list[CheckResult] = []
    is_interrupted = False
    try:
        with context.ending:
            for result in ask_all(context):
                results.append(result)  # noqa: PERF402 - what was asked until an interruption must stay
    except KeyboardInterrupt:
        is_interrupted = True
        known = {result.id for result in results}
        results += [result for result in context.deferred if result.id not in known]
    finally:
        context.rest.close()
    results = clean_results(context, results)
    problem = _write_report(options, make_markdown(context, results))  # first: the terminal may be gone
    (print_json if options.is_json else print_results)(results)
    if is_interrupted:
        sys.stderr.write("interrupted: the report has what was asked until now\n")
    if problem is not None:
        raise problem
    sys.stderr.write(f"report: {options.report}\n")
    if is_interrupted or any(row.is_failed for row in results):
        return _FAILED
    return _DIFFERS if any(row.verdict is CheckVerdict.DIFFERS for row in results) else 0


def _write_report(options: ConformanceOptions, text: str) -> SettingsError | None:
    """Write the report; return what prevented it, as the table must be printed all the same."""
    try:
        options.report.write_text(text, encoding="utf-8")
    except OSError as error:
        return SettingsError(f"cannot write {options.report} ({error.strerror}): give another --report")
    return None


def _interrupt(_: int, __: FrameType | None) -> None:
    """Treat the signal as Ctrl-C, so that orders are cleaned up."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
