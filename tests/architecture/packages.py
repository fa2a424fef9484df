"""The packages of the project, without its tests."""

PACKAGES = (
    "cli",
    "scheduler",
    "shared",
    "simulator",
    "strategies",
    "tickwork_client",
    "tickwork_strategy",
    "web",
    "workers",
)
