"""The ordered stop of a stack names every program that the stack starts."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

from cli.local.processes.programs import DIRECT_WORKER, EXPORTER, other_programs, receiver_program
from cli.local.processes.shutdown import STOP_ORDER
from shared.fleets import FLEETS
from tests.fixtures.stack_config import stack_config

SERVERS = {"postgres", "valkey"}


def test_every_program_of_a_stack_is_stopped_in_order(tmp_path: Path) -> None:
    config = stack_config(tmp_path)
    settings = replace(config.settings, traces_url="http://127.0.0.1:4318/v1/traces")
    stack = replace(config, settings=settings, ports=config.ports | {EXPORTER: 9464})
    started = {program.name for program in (receiver_program(stack), *other_programs(stack))}

    assert started | SERVERS == set(chain.from_iterable(STOP_ORDER))
    assert len(started | SERVERS) == len(list(chain.from_iterable(STOP_ORDER)))


def test_nothing_new_comes_in_before_the_workers_stop_and_the_servers_stop_last() -> None:
    place = {name: number for number, names in enumerate(STOP_ORDER) for name in names}
    workers = {place[fleet.program] for fleet in FLEETS} | {place[DIRECT_WORKER]}

    assert {0} == {place["receiver"], place["beat"], place["relay"]}
    assert {1} == workers
    assert place["feed"] < place["simulator"] < place["valkey"] < place["postgres"] == max(place.values())
