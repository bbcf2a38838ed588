"""Canonical JSON of the values that are signed: one value, one sequence of bytes."""

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from exchange.errors import Malformed

# Unknown fields are ignored, so that an appliance reads what a newer admin's tool adds; a change that an older
# reader must not overlook raises the number in `signing.FORMAT` instead.
STRICT = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
REFERRAL_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
"""A community's or a branch's name."""
ReferralId = Annotated[str, StringConstraints(pattern=f"^{REFERRAL_ID.pattern}$")]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Uid = Annotated[str, StringConstraints(pattern="^[!-~]{1,64}$")]
"""A DICOM UID as it is met in the field: PS3.5 9.1 allows digits and dots only, devices do not always."""
AeTitle = Annotated[str, StringConstraints(pattern=r"^[ -\[\]-~]{1,16}$")]
"""PS3.5 6.2, VR AE: up to 16 characters, no backslash, no control characters."""
Line = Annotated[str, StringConstraints(max_length=1024)]
CertificateText = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9+/=]*$", max_length=1 << 16)]
"""DER as base64: ours have 600 bytes, an authority's grows by 20 for each branch."""
RevocationsText = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9+/=]*$", max_length=1 << 20)]
"""DER as base64: 50 bytes for each certificate that was withdrawn in the last 13 months."""
Count = Annotated[int, Field(ge=0, lt=2**53)]
Ordinal = Annotated[int, Field(ge=1, lt=2**53)]
Version = Annotated[int, Field(ge=1, le=9_999_999_999)]


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time with its zone, kept in UTC."""


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class Document:
    """A value that travels as canonical JSON; its class is a frozen pydantic dataclass."""

    def encode(self) -> bytes:
        """Keys sorted, no spaces, UTF-8, no floats: the bytes that are signed."""
        adapter = _adapter(type(self))  # type: ignore[arg-type]  # mypy takes the class's __hash__ for its type's
        value = adapter.dump_python(self, mode="json")
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """The value that the bytes say.

        Raises
        ------
        Malformed
            Not JSON, or a field is missing or out of range. The message names the fields and
            never their content, which may be a patient's.
        """
        adapter = _adapter(cls)  # type: ignore[arg-type]  # mypy takes the class's __hash__ for its type's
        try:
            decoded: Self = adapter.validate_json(body)
        except ValidationError as error:
            raise Malformed(f"not a valid {cls.__name__.lower()}: {_faults(error)}") from None
        return decoded


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [".".join(map(str, fault["loc"])) + f" ({fault['type']})" for fault in faults[:3]]
    return ", ".join(shown) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
