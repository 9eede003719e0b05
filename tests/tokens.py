"""Access tokens made by hand, as somebody else would make them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.core import errors, ids
from app.core.security import TokenSigner, _key_id
from tests.conftest import SECRET

SIGNER = TokenSigner(SECRET, [], timedelta(minutes=15))
_HASHES: dict[str, Callable[..., Any]] = {
    "HS256": hashlib.sha256,
    "HS384": hashlib.sha384,
    "HS512": hashlib.sha512,
}


def encoded(part: Any) -> str:
    """Base64url without padding, of bytes, of text or of the JSON of anything else."""
    if not isinstance(part, bytes):
        part = (part if isinstance(part, str) else json.dumps(part)).encode()
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def header(**changes: Any) -> dict[str, Any]:
    """The header that the service writes, with changes; `...` takes a member away."""
    return _changed({"alg": "HS256", "typ": "at+jwt", "kid": _key_id(SECRET)}, changes)


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that the service would accept, with changes; `...` takes a member away."""
    now = int(time.time())
    good = {
        "iss": "banking-service",
        "aud": "banking-service",
        "sub": ids.new_id(ids.USER),
        "sid": ids.new_id(ids.SESSION),
        "jti": "0123456789abcdef",
        "iat": now,
        "exp": now + 900,
    }
    return _changed(good, changes)


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (good | changes).items() if value is not ...}


def signed(head: Any, payload: Any, secret: str | bytes = SECRET, algorithm: str = "HS256") -> str:
    """A token with a true signature by the secret, whatever it says. Text is taken as it is."""
    text = f"{encoded(head)}.{encoded(payload)}"
    key = secret if isinstance(secret, bytes) else secret.encode()
    return f"{text}.{encoded(hmac.new(key, text.encode(), _HASHES[algorithm]).digest())}"


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def refused(token: str, signer: TokenSigner = SIGNER) -> bool:
    """Whether the token is refused, as Unauthenticated and nothing else."""
    try:
        signer.verify(token)
    except errors.Unauthenticated:
        return True
    return False
