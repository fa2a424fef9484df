"""A test alert to an address that cannot be one fails with a reason."""

import pytest

from shared import receiver_probe
from shared.errors import ProbeFailedError


@pytest.mark.parametrize("host", ["alerts..example.com", f"{'a' * 64}.example.com"])
def test_a_host_that_no_name_can_be_is_no_traceback(host: str) -> None:
    with pytest.raises(ProbeFailedError, match=f"https://{host} does not answer"):
        receiver_probe._post(f"https://{host}", "a-token")  # noqa: SLF001  # before it, only the database
