"""What `up` gives its programs: every setting, and the venue's key only where it is needed."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from cli.local.market import choose_market
from cli.local.processes.programs import EXPORTER, TELEGRAM, TRACE_EXPORTER, other_programs, receiver_program
from shared.config import load_settings
from shared.setting_keys import SETTING_KEYS
from tests.fixtures.stack_config import stack_config

VENUE = {
    "TICKWORK_VENUE_URL": "https://api.topstepx.com",
    "TICKWORK_VENUE_USER": "me",
    "TICKWORK_VENUE_KEY": "the-key",
}


def test_programs_have_every_setting_and_read_no_file(tmp_path: Path) -> None:
    for program in (receiver_program(stack_config(tmp_path)), *other_programs(stack_config(tmp_path))):
        assert set() == {one.variable for one in SETTING_KEYS} - program.environment.keys()
        assert "" == program.environment["TICKWORK_SETTINGS_FILE"]


def test_the_settings_of_the_programs_are_those_of_up(tmp_path: Path) -> None:
    chosen = {
        "TICKWORK_HOME": str(tmp_path), "TICKWORK_FLOWER_HOSTS": "a.lan,b.lan", "TICKWORK_LOG_LEVEL": "DEBUG",
        "TICKWORK_INHIBIT_SLEEP": "off", "TICKWORK_SLOTS": "bulk=2", "TICKWORK_MAX_QUANTITY": "2",
    }  # fmt: skip
    settings = load_settings(chosen)
    stack = replace(stack_config(tmp_path), settings=settings)

    found = load_settings(receiver_program(stack).environment)

    names = ("flower_hosts", "log_level", "inhibit_sleep", "slots", "max_quantity")
    assert [getattr(settings, name) for name in names] == [getattr(found, name) for name in names]


def test_only_the_programs_that_log_in_have_the_venues_key(tmp_path: Path) -> None:
    settings = load_settings(
        {"TICKWORK_HOME": str(tmp_path), "TICKWORK_HEARTBEAT_URL": "https://hc.example/1", **VENUE}
    )
    stack = replace(stack_config(tmp_path), settings=settings, market=choose_market(settings))

    keys = {
        program.name: program.environment["TICKWORK_VENUE_KEY"]
        for program in (receiver_program(stack), *other_programs(stack))
    }

    without = {name for name, key in keys.items() if not key}
    assert {"receiver", "flower", "beat", "relay", "risk-monitor"} == without
    assert {"the-key"} == {key for name, key in keys.items() if name not in without}
    assert without == {
        program.name
        for program in (receiver_program(stack), *other_programs(stack))
        if not program.environment["TICKWORK_HEARTBEAT_URL"]
    }


def test_the_trace_exporter_runs_only_with_a_url_and_has_no_key(tmp_path: Path) -> None:
    url = "http://127.0.0.1:4318/v1/traces"
    settings = load_settings({"TICKWORK_HOME": str(tmp_path), "TICKWORK_TRACES_URL": url, **VENUE})
    without = stack_config(tmp_path)

    assert TRACE_EXPORTER not in {program.name for program in other_programs(without)}
    (found,) = (one for one in other_programs(replace(without, settings=settings)) if one.name == TRACE_EXPORTER)
    assert ("", url) == tuple(found.environment[f"TICKWORK_{name}"] for name in ("VENUE_KEY", "TRACES_URL"))


def test_only_the_trace_exporter_loads_the_library_of_traces(tmp_path: Path) -> None:
    """So it costs nothing while no URL is set."""
    programs = {one.command[2] for one in other_programs(stack_config(tmp_path))} | {"web.exporter.__main__"}
    modules = sorted(str(name) for name in programs if name not in {"workers", "scheduler", "simulator"})
    modules += ["workers.app", "scheduler.beat", "scheduler.relay", "cli.main"]
    code = f"import sys, importlib; [importlib.import_module(name) for name in {modules}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {"workers.feed", "workers.risk", "workers.direct"} <= set(done.stdout.split())
    assert not {"opentelemetry.sdk", "opentelemetry.proto", "google.protobuf"} & set(done.stdout.split())


def test_the_exporter_runs_only_on_a_port_that_is_set_and_without_the_venues_key(tmp_path: Path) -> None:
    settings = load_settings({"TICKWORK_HOME": str(tmp_path), "TICKWORK_PROMETHEUS_PORT": "9464", **VENUE})
    without = replace(stack_config(tmp_path), settings=settings)
    stack = replace(without, ports=without.ports | {EXPORTER: settings.prometheus_port})

    assert EXPORTER not in {program.name for program in other_programs(without)}
    assert "prometheus" not in without.urls
    (exporter,) = (program for program in other_programs(stack) if program.name == EXPORTER)
    assert ["web.exporter", "--port", "9464"] == list(exporter.command)[-3:]
    assert ("", "9464") == tuple(exporter.environment[f"TICKWORK_{name}"] for name in ("VENUE_KEY", "PROMETHEUS_PORT"))
    assert "http://127.0.0.1:9464/metrics" == stack.urls["prometheus"]


def test_the_bot_runs_only_where_its_token_is_set_and_has_no_other_secret(tmp_path: Path) -> None:
    token = "123456789:AAsecret-token_of_the_bot-0123456789"
    secrets = {"TICKWORK_HEARTBEAT_URL": "https://hc.example/1", **VENUE}
    settings = load_settings({"TICKWORK_HOME": str(tmp_path), "TICKWORK_TELEGRAM_TOKEN": token, **secrets})
    stack = replace(stack_config(tmp_path), settings=settings, market=choose_market(settings))
    programs = {program.name: program for program in (receiver_program(stack), *other_programs(stack))}

    assert TELEGRAM not in {program.name for program in other_programs(stack_config(tmp_path))}
    with_token = [name for name, one in programs.items() if one.environment["TICKWORK_TELEGRAM_TOKEN"]]
    assert [TELEGRAM] == with_token
    bot = programs[TELEGRAM]
    assert token not in " ".join(map(str, bot.command))
    assert "https://api.telegram.org" == bot.environment["TICKWORK_TELEGRAM_URL"]
    assert {""} == {bot.environment[name] for name in ("TICKWORK_VENUE_KEY", *secrets.keys() - VENUE.keys())}
    assert token not in repr(settings)
