"""ETag and If-Match (RFC 9110, section 13.1.1): a row's version, so that nobody overwrites unseen."""

import re
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from app.api.direct import Part
from app.schemas.base import ResponseModel

_TAG: Final = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def etag(version: int) -> str:
    """The entity tag of a version of a row."""
    return f'"{version}"'


def tagged(made: ResponseModel, version: int) -> Response:
    """A thing that changes, with the tag of its version."""
    return Response(made.model_dump_json(), headers={"ETag": etag(version)}, media_type="application/json")


def _if_match(request: Request) -> frozenset[int] | None:
    """The versions the client would accept; None when it does not care (no header, or `*`)."""
    values = ",".join(request.headers.getlist("if-match"))
    if not values or values.strip() == "*":
        return None
    found = [_TAG.fullmatch(value.strip()) for value in values.split(",")]
    # A tag that is not one of ours cannot be current.
    return frozenset(int(match[1]) for match in found if match)


IfMatch = Annotated[frozenset[int] | None, Depends(Part(_if_match))]
