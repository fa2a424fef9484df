"""The ordered stop of a stack names every program that the stack starts."""

from itertools import chain
from pathlib import Path

from cli.local.home.folder import Home
from cli.local.home.ports import DEFAULTS
from cli.local.market import choose_market
from cli.local.processes.programs import DIRECT_WORKER, StackConfig, other_programs, receiver_program
from cli.local.processes.shutdown import STOP_ORDER
from shared.clock import live_clock
from shared.config import load_settings
from shared.fleets import FLEETS

SERVERS = {"postgres", "valkey"}


def test_every_program_of_a_stack_is_stopped_in_order(tmp_path: Path) -> None:
    settings = load_settings({"TICKWORK_HOME": str(tmp_path)})
    stack = StackConfig(
        Home(tmp_path),
        settings,
        choose_market(settings),
        live_clock(),
        dict(DEFAULTS),
        "test",
        "",
        "",
        "",
        "",
        limits=True,
    )
    started = {program.name for program in (receiver_program(stack), *other_programs(stack))}

    assert started | SERVERS == set(chain.from_iterable(STOP_ORDER))
    assert len(started | SERVERS) == len(list(chain.from_iterable(STOP_ORDER)))


def test_nothing_new_comes_in_before_the_workers_stop_and_the_servers_stop_last() -> None:
    place = {name: number for number, names in enumerate(STOP_ORDER) for name in names}
    workers = {place[fleet.program] for fleet in FLEETS} | {place[DIRECT_WORKER]}

    assert {0} == {place["receiver"], place["beat"], place["relay"]}
    assert {1} == workers
    assert place["feed"] < place["simulator"] < place["valkey"] < place["postgres"] == max(place.values())
