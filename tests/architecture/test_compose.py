"""docker-compose.yml matches the list of programs; no docker engine is needed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.fleets import FLEET_PER_QUEUE, fleet_named

ROOT = Path(__file__).resolve().parents[2]
ONE_EACH = {"postgres", "valkey", "simulator", "feed", "receiver", "beat", "relay", "risk-monitor", "flower"} | {
    "worker-direct",
    "exporter",
    "trace-exporter",
    "telegram",
}
ONCE_AT_START = {"prepare"}


@pytest.fixture(scope="module")
def composition() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


@pytest.fixture(scope="module")
def services(composition: dict[str, Any]) -> dict[str, Any]:
    services: dict[str, Any] = composition["services"]
    return services


def test_there_is_one_service_per_program_and_one_per_queue(services: dict[str, Any]) -> None:
    assert ONE_EACH | ONCE_AT_START | {fleet.program for fleet in FLEET_PER_QUEUE} == set(services)


def test_every_service_that_stays_is_checked_and_never_by_asking_celery(services: dict[str, Any]) -> None:
    checks = {name: service["healthcheck"] for name, service in services.items() if name not in ONCE_AT_START}

    assert all("test" in check and "inspect" not in str(check["test"]) for check in checks.values())


def test_a_worker_service_serves_the_queue_it_is_named_after(services: dict[str, Any]) -> None:
    for fleet in FLEET_PER_QUEUE:
        assert ["python", "-m", "workers", fleet.name] == services[fleet.program]["command"]
        assert fleet.queues == fleet_named(fleet.name).queues


def test_no_command_line_carries_a_secret(services: dict[str, Any]) -> None:
    for name, service in services.items():
        command = str(service.get("command", ""))
        assert "${POSTGRES_PASSWORD" not in command, name
        assert "${REDIS_PASSWORD" not in command, name


def test_only_this_computer_reaches_a_published_port(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_receivers_spool_outlives_its_container_and_belongs_to_it_alone(composition: dict[str, Any]) -> None:
    services = composition["services"]
    (volume,) = services["receiver"]["volumes"]
    name, _, folder = volume.partition(":")

    assert f"TICKWORK_HOME={folder}" in (ROOT / "deploy" / "Dockerfile").read_text().replace(" \\", "").split()
    assert name in composition["volumes"]
    assert ["receiver"] == [one for one, service in services.items() if volume in service.get("volumes", [])]


def test_everything_a_program_imports_is_copied_into_the_image() -> None:
    copied = {
        line.split()[1]
        for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
    }
    packages = {folder.name for folder in ROOT.iterdir() if (folder / "__init__.py").exists()} - {"tests"}

    assert packages <= copied


def test_what_the_installation_of_the_image_reads_is_copied_before_it() -> None:
    before, found, _ = (ROOT / "deploy" / "Dockerfile").read_text().partition("RUN UV_PYTHON_DOWNLOADS")
    copied = {word for line in before.splitlines() if line.startswith("COPY ") for word in line.split()}

    assert found
    assert {"pyproject.toml", "uv.lock", "README.md", *(file.name for file in ROOT.glob("*.py"))} <= copied
