"""Ports: chosen once and stored; a taken port is replaced with a note, the receiver's is an error."""

import json
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.home.ports import DEFAULTS, check_ports, choose_ports, is_free, require_port
from shared.errors import SettingsError
from tests.fixtures.processes import free_port


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for ports that never become free."""
    monkeypatch.setattr("cli.local.home.ports._TIMEOUT_S", 0.3)


@contextmanager
def occupy_port(port: int = 0) -> Iterator[int]:
    """Listen on a port, as another program would."""
    with socket.create_server(("127.0.0.1", port or free_port())) as listener:
        yield listener.getsockname()[1]


def store_ports(home: Home, **ports: int) -> Path:
    file = home.root / "ports.json"
    file.write_text(json.dumps(ports))
    return file


def test_a_port_is_free_until_a_program_listens_on_it() -> None:
    with occupy_port() as port:
        assert not is_free(port)
    assert is_free(port)


def test_a_port_with_just_closed_connections_is_free() -> None:
    with occupy_port() as port:
        listener_side = socket.create_connection(("127.0.0.1", port))
    listener_side.close()

    assert is_free(port)


def test_a_stored_port_is_kept_without_a_note(home: Home) -> None:
    port = free_port()
    store_ports(home, flower=port)

    assert ({"flower": port}, []) == choose_ports(home, ["flower"])


def test_ports_chosen_once_are_the_same_next_time(home: Home) -> None:
    names = ["simulator", "flower", "valkey"]
    store_ports(home, **{name: free_port() for name in names})
    first, _ = choose_ports(home, names)

    assert (first, []) == choose_ports(home, names)


def test_the_first_choice_is_the_default_port_or_a_free_one_with_a_note(home: Home) -> None:
    ports, notes = choose_ports(home, list(DEFAULTS))

    assert list(DEFAULTS) == list(ports)
    assert len(ports) == len(set(ports.values()))
    for name, port in ports.items():
        assert port == DEFAULTS[name] or any(f": {name} uses {port}" in note for note in notes)


def test_a_taken_default_port_is_replaced_with_a_note(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with occupy_port() as port:
        monkeypatch.setitem(DEFAULTS, "flower", port)
        ports, notes = choose_ports(home, ["flower"])

    assert port != ports["flower"]
    assert [f"port {port} is taken: flower uses {ports['flower']} from now on"] == notes
    assert (ports, []) == choose_ports(home, ["flower"])


@pytest.mark.usefixtures("short_timeout")
def test_a_stored_port_that_stays_taken_is_replaced_with_a_note(home: Home) -> None:
    with occupy_port() as port:
        file = store_ports(home, flower=port)
        ports, notes = choose_ports(home, ["flower"])

    assert port != ports["flower"]
    assert [f"port {port} is taken: flower uses {ports['flower']} from now on"] == notes
    assert ports == json.loads(file.read_text())


@pytest.mark.usefixtures("short_timeout")
def test_a_taken_receiver_port_is_refused(home: Home) -> None:
    with occupy_port() as port:
        file = store_ports(home, receiver=port)
        with pytest.raises(SettingsError, match=f"port {port} is taken") as refused:
            choose_ports(home, ["receiver"])

    assert str(file) in str(refused.value)
    assert {"receiver": port} == json.loads(file.read_text())


def test_a_start_waits_for_the_port_of_a_killed_stack(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", free_port()))
    port = listener.getsockname()[1]
    store_ports(home, receiver=port)
    waits: list[float] = []

    def release_after_three_waits(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            listener.close()

    monkeypatch.setattr("cli.local.home.ports.time.sleep", release_after_three_waits)
    assert ({"receiver": port}, []) == choose_ports(home, ["receiver"])
    assert 3 == len(waits)


def test_a_port_that_is_not_requested_stays_stored(home: Home) -> None:
    flower, receiver = free_port(), free_port()
    file = store_ports(home, flower=flower, receiver=receiver)
    choose_ports(home, ["flower"])

    assert {"flower": flower, "receiver": receiver} == json.loads(file.read_text())


def test_two_programs_never_get_one_port(home: Home) -> None:
    one = free_port()
    store_ports(home, receiver=one, flower=one)
    ports, _ = choose_ports(home, ["receiver", "flower"])

    assert one == ports["receiver"]
    assert one != ports["flower"]


def test_a_new_port_is_never_the_stored_port_of_another_program(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = free_port()
    store_ports(home, receiver=stored)
    monkeypatch.setitem(DEFAULTS, "flower", stored)
    ports, notes = choose_ports(home, ["receiver", "flower"])

    assert stored != ports["flower"]
    assert [f"port {stored} is taken: flower uses {ports['flower']} from now on"] == notes


def test_the_ports_file_is_private(home: Home) -> None:
    store_ports(home, flower=free_port()).chmod(0o644)
    choose_ports(home, ["flower"])

    assert 0o600 == stat.S_IMODE((home.root / "ports.json").stat().st_mode)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"flower": "many"}', '{"flower": 70000}', '{"flower": -1}'])
def test_a_damaged_ports_file_is_refused_with_its_name(home: Home, content: str) -> None:
    file = home.root / "ports.json"
    file.write_text(content)

    with pytest.raises(SettingsError, match="is damaged") as refused:
        choose_ports(home, ["flower"])
    assert str(file) in str(refused.value)
    assert content == file.read_text()


@pytest.mark.usefixtures("short_timeout")
def test_the_port_for_prometheus_is_the_one_that_is_set_or_an_error() -> None:
    port = free_port()
    assert port == require_port(port, {"receiver": port + 1})

    with occupy_port() as taken, pytest.raises(SettingsError, match=f"{taken} .* is taken by another program"):
        require_port(taken, {})
    with pytest.raises(SettingsError, match=f"{port} .* is taken by receiver"):
        require_port(port, {"receiver": port})
    with pytest.raises(SettingsError, match=r"8700 of TICKWORK_PROMETHEUS_PORT is taken by receiver"):
        check_ports(DEFAULTS["receiver"])
