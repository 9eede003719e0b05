"""Kinds of settings: how a text of the environment becomes a value."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer, SecretStr
from pydantic_core import PydanticCustomError

from app.core.money import CURRENCIES

# The type of a complaint that is about `NAME_FILE`.
OF_FILE: Final = "secret_file"


class FromFile:
    """Marks a field as a secret that `NAME_FILE` may point to."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """Where a secret is; `is_doubled` when it was also given itself."""

    path: str
    is_doubled: bool


def read_secret(value: object) -> object:
    """The content of a secret's file; anything else as it is. Complaints are about `NAME_FILE`."""
    if not isinstance(value, SecretFile):
        return value
    if value.is_doubled:
        raise PydanticCustomError(OF_FILE, "is set beside the variable")
    try:
        content = Path(value.path).read_text("utf-8").strip("\r\n")
    except (OSError, ValueError) as error:
        reason = {"reason": type(error).__name__}
        raise PydanticCustomError(OF_FILE, "cannot be read ({reason})", reason) from None
    if not content:
        raise PydanticCustomError(OF_FILE, "names an empty file")
    return content


def _split(value: object) -> object:
    """`a, b` -> ["a", "b"], and likewise line by line; the empty text is the empty list."""
    if isinstance(value, str):
        return [part.strip() for part in re.split(r"[,\n]", value) if part.strip()]
    return value


def _parse_networks(value: object) -> object:
    if not isinstance(value, list):
        return value
    try:
        return [ip_network(str(part), strict=False) for part in value]
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8, comma-separated") from None


def _parse_timezone(value: object) -> object:
    if isinstance(value, str):
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("must be a time zone of the IANA database, such as UTC") from None
    return value


Words = Annotated[list[str], BeforeValidator(_split)]
Networks = Annotated[
    list[IPv4Network | IPv6Network],
    BeforeValidator(_parse_networks),
    BeforeValidator(_split),
]
Secret = Annotated[SecretStr, BeforeValidator(read_secret), FromFile()]
Secrets = Annotated[
    list[SecretStr],
    BeforeValidator(_split),
    BeforeValidator(read_secret),
    FromFile(),
]
TimeZone = Annotated[ZoneInfo, BeforeValidator(_parse_timezone), PlainSerializer(str)]


def _parse_amounts(value: object) -> object:
    """`EUR:500000,JPY:100000` -> minor units by currency."""
    if not isinstance(value, list):
        return value
    pairs = [part.partition(":") for part in value]
    if not all(code in CURRENCIES and amount.isascii() and amount.isdigit() for code, _, amount in pairs):
        raise ValueError("must be minor units by currency such as EUR:500000, comma-separated")
    return {code: int(amount) for code, _, amount in pairs}


Amounts = Annotated[dict[str, int], BeforeValidator(_parse_amounts), BeforeValidator(_split)]
