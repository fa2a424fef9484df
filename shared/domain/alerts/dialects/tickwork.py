"""Our own dialect: one flat JSON object (docs/reference/alert-fields.md)."""

from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.payload import read_payload

DIALECT = Dialect(name="tickwork", summary="one flat JSON object with our own fields", read=read_payload)
