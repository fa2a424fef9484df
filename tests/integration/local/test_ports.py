"""Ports: chosen once, remembered, moved when taken and never in silence; the receiver's never moves."""

import json
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.home.ports import DEFAULTS, choose_ports, is_free
from shared.errors import SettingsError
from tests.fixtures.processes import free_port


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ports that never become free; what matters is the answer, not how long it takes."""
    monkeypatch.setattr("cli.local.home.ports._PATIENCE_S", 0.3)


@contextmanager
def taken(port: int = 0) -> Iterator[int]:
    """Listen on a port as a stranger's program would."""
    with socket.create_server(("127.0.0.1", port or free_port())) as listener:
        yield listener.getsockname()[1]


def remember(home: Home, **ports: int) -> Path:
    file = home.root / "ports.json"
    file.write_text(json.dumps(ports))
    return file


def test_a_port_is_free_until_somebody_listens_on_it() -> None:
    with taken() as port:
        assert not is_free(port)
    assert is_free(port)


def test_a_port_whose_connections_were_just_cut_is_free() -> None:
    with taken() as port:
        listener_side = socket.create_connection(("127.0.0.1", port))
    listener_side.close()

    assert is_free(port)


def test_a_remembered_port_is_kept_and_nothing_is_said(home: Home) -> None:
    port = free_port()
    remember(home, flower=port)

    assert ({"flower": port}, []) == choose_ports(home, ["flower"])


def test_ports_chosen_once_are_the_same_next_time(home: Home) -> None:
    names = ["simulator", "flower", "valkey"]
    remember(home, **{name: free_port() for name in names})
    first, _ = choose_ports(home, names)

    assert (first, []) == choose_ports(home, names)


def test_the_first_choice_is_the_usual_port_or_a_free_one_that_is_told(home: Home) -> None:
    ports, notes = choose_ports(home, list(DEFAULTS))

    assert list(DEFAULTS) == list(ports)
    assert len(ports) == len(set(ports.values()))
    for name, port in ports.items():
        assert port == DEFAULTS[name] or any(f"the {name} uses {port}" in note for note in notes)


def test_a_taken_usual_port_is_told_and_another_one_remembered(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with taken() as port:
        monkeypatch.setitem(DEFAULTS, "flower", port)
        ports, notes = choose_ports(home, ["flower"])

    assert port != ports["flower"]
    assert [f"port {port} is taken, the flower uses {ports['flower']} from now on"] == notes
    assert (ports, []) == choose_ports(home, ["flower"])


@pytest.mark.usefixtures("short_patience")
def test_a_remembered_port_that_stays_taken_is_given_up_with_a_note(home: Home) -> None:
    with taken() as port:
        file = remember(home, flower=port)
        ports, notes = choose_ports(home, ["flower"])

    assert port != ports["flower"]
    assert [f"port {port} is taken, the flower uses {ports['flower']} from now on"] == notes
    assert ports == json.loads(file.read_text())


@pytest.mark.usefixtures("short_patience")
def test_a_taken_receivers_port_is_refused_for_alerts_are_posted_to_it(home: Home) -> None:
    with taken() as port:
        file = remember(home, receiver=port)
        with pytest.raises(SettingsError, match=f"port {port} is taken") as refused:
            choose_ports(home, ["receiver"])

    assert str(file) in str(refused.value)
    assert {"receiver": port} == json.loads(file.read_text())


def test_a_killed_stack_that_still_holds_its_port_is_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", free_port()))
    port = listener.getsockname()[1]
    remember(home, receiver=port)
    waits: list[float] = []

    def let_go_while_it_is_waited_for(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            listener.close()

    monkeypatch.setattr("cli.local.home.ports.time.sleep", let_go_while_it_is_waited_for)
    assert ({"receiver": port}, []) == choose_ports(home, ["receiver"])
    assert 3 == len(waits)


def test_what_is_not_asked_for_stays_remembered(home: Home) -> None:
    flower, receiver = free_port(), free_port()
    file = remember(home, flower=flower, receiver=receiver)
    choose_ports(home, ["flower"])

    assert {"flower": flower, "receiver": receiver} == json.loads(file.read_text())


def test_two_programs_never_get_one_port(home: Home) -> None:
    one = free_port()
    remember(home, receiver=one, flower=one)
    ports, _ = choose_ports(home, ["receiver", "flower"])

    assert one == ports["receiver"]
    assert one != ports["flower"]


def test_a_new_port_is_never_one_that_another_program_remembers(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = free_port()
    remember(home, receiver=remembered)
    monkeypatch.setitem(DEFAULTS, "flower", remembered)
    ports, notes = choose_ports(home, ["receiver", "flower"])

    assert remembered != ports["flower"]
    assert [f"port {remembered} is taken, the flower uses {ports['flower']} from now on"] == notes


def test_the_file_is_private(home: Home) -> None:
    remember(home, flower=free_port()).chmod(0o644)
    choose_ports(home, ["flower"])

    assert 0o600 == stat.S_IMODE((home.root / "ports.json").stat().st_mode)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"flower": "many"}', '{"flower": 70000}', '{"flower": -1}'])
def test_a_damaged_file_is_refused_with_its_name(home: Home, content: str) -> None:
    file = home.root / "ports.json"
    file.write_text(content)

    with pytest.raises(SettingsError, match="is damaged") as refused:
        choose_ports(home, ["flower"])
    assert str(file) in str(refused.value)
    assert content == file.read_text()
