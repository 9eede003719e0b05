"""Passwords and tokens; the only file that imports passlib or jose.

Access tokens are JWTs (RFC 9068 in spirit) signed with HS256. The signing library accepts far more
than a bank may (missing `exp`, an `alg` chosen by the sender, padding games), so everything about a
token is required here first: exactly our header, canonical base64url, exactly our claims and types.
Refresh tokens are opaque random text, stored as a SHA-256 digest: with 256 random bits, a fast digest
is enough, and a copy of the database holds no usable token.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

from jose import JWTError, jwt
from passlib.hash import argon2
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.core import clock, errors, ids
from app.core.config import Environment

ALGORITHM: Final = "HS256"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068, no password
ISSUER: Final = "banking-service"
LONGEST_TOKEN: Final = 4096
# How far ahead of ours the clock of another of our processes may be.
CLOCK_SKEW: Final = timedelta(seconds=30)
SHORTEST_PASSWORD: Final = 8
LONGEST_PASSWORD: Final = 256
_HASHES_WAITING: Final = 64
_MOST_VERIFIED: Final = 20_000
_T = TypeVar("_T")


def is_common_password(password: str) -> bool:
    """Whether the password is on the list of the 30,000 most used ones (NIST SP 800-63B, 5.1.1.2)."""
    return password.lower() in _common_passwords()


@lru_cache(maxsize=1)
def _common_passwords() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])


class PasswordHasher:
    """argon2id on a small pool of its own, so that a flood of logins cannot stall anything else.

    19 MiB, two passes, one lane (OWASP's first choice); in the test environment a token cost, so that
    a suite can sign up hundreds of people.
    """

    def __init__(self, environment: Environment, workers: int) -> None:
        cost = {"memory_cost": 19 * 1024, "time_cost": 2, "parallelism": 1}
        if environment is Environment.TEST:
            cost = {"memory_cost": 64, "time_cost": 1, "parallelism": 1}
        self._scheme = argon2.using(type="ID", **cost)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="hash")
        self._waiting = 0
        self.verifications = 0
        # Verified against when there is no such user, so that both cases cost the same.
        self._nobody = self._scheme.hash(secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        """The PHC string to store. Raises Overloaded when too many wait."""
        return await self._run(self.hash_now, password)

    def hash_now(self, password: str) -> str:
        """As `hash`, in the calling thread: for the command line."""
        digest: str = self._scheme.hash(password)
        return digest

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one. `None` (no such user) costs the same work."""
        return await self._run(self._verify_now, password, stored)

    def _verify_now(self, password: str, stored: str | None) -> bool:
        self.verifications += 1
        matches: bool = self._scheme.verify(password, stored or self._nobody)
        return matches and stored is not None

    async def _run(self, work: Callable[..., _T], *args: object) -> _T:
        if self._waiting >= _HASHES_WAITING:
            raise errors.Overloaded()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def new_refresh_token() -> str:
    """256 random bits."""
    return f"rt_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    """What is stored of a random token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says."""

    user_id: str
    session_id: str


class TokenSigner:
    """Issues access tokens with the current secret; verifies with that and the previous ones.

    The header's `kid` names the secret. It is derived from the secret, so a rotation is one setting:
    move the old secret to JWT_PREVIOUS_SECRETS and set a new JWT_SECRET.
    """

    def __init__(self, secret: str, previous: Sequence[str], lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self._kid = _key_id(secret)
        self._keys = {_key_id(one): _key(one) for one in (*previous, secret)}
        # What has been verified of a token does not change; only its times are looked at again.
        self._verified: dict[str, tuple[AccessClaims, Mapping[str, Any]]] = {}

    def issue(self, user_id: str, session_id: str) -> str:
        now = int(clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": user_id,
            "sid": session_id,
            "jti": secrets.token_hex(12),
            "iat": now,
            "exp": now + int(self.lifetime.total_seconds()),
        }
        return jwt.encode(
            claims,
            self._keys[self._kid],
            algorithm=ALGORITHM,
            headers={"typ": TOKEN_TYPE, "kid": self._kid},
        )

    def verify(self, token: str) -> AccessClaims:
        """The claims of a valid token; Unauthenticated for every other text, whatever is wrong."""
        # The library raises its own errors, and TypeError or others for claims of odd types.
        try:
            return self._verify(token)
        except (JWTError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise errors.Unauthenticated() from None

    def _verify(self, token: str) -> AccessClaims:
        known = self._verified.get(token) or self._read(token)
        verified, claims = known
        _check_times(claims)
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        self._verified[token] = known
        return verified

    def _read(self, token: str) -> tuple[AccessClaims, Mapping[str, Any]]:
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise ValueError("length or alphabet")
        header, payload, signature = token.split(".")
        fields = json.loads(_canonical_base64(header))
        _canonical_base64(payload)
        _canonical_base64(signature)
        key_id = fields["kid"]
        if fields != {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": key_id}:
            raise ValueError("header")
        claims = jwt.decode(
            token,
            self._keys[key_id],
            algorithms=[ALGORITHM],
            audience=ISSUER,
            issuer=ISSUER,
            # Times are checked below, by our clock.
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        user_id, session_id = claims["sub"], claims["sid"]
        if claims["aud"] != ISSUER or not isinstance(claims["jti"], str):
            raise ValueError("claims")
        if not (ids.is_id(ids.USER, user_id) and ids.is_id(ids.SESSION, session_id)):
            raise ValueError("subject")
        return AccessClaims(user_id, session_id), claims


def _check_times(claims: Mapping[str, Any]) -> None:
    now = clock.now().timestamp()
    latest = now + CLOCK_SKEW.total_seconds()
    # bool is an int to Python; JSON has no such confusion, so `type` and not `isinstance`.
    if type(claims["exp"]) is not int or claims["exp"] <= now:
        raise ValueError("exp")
    if type(claims["iat"]) is not int or claims["iat"] > latest:
        raise ValueError("iat")
    not_before = claims.get("nbf", 0)
    if type(not_before) is not int or not_before > latest:
        raise ValueError("nbf")


def _canonical_base64(segment: str) -> bytes:
    """Decodes base64url; ValueError unless it is the one way to write those bytes.

    Otherwise several texts are the same token, and a mutated one can pass.
    """
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise ValueError("not canonical")
    return data


def _key(secret: str) -> dict[str, str]:
    """The secret as a JSON Web Key (RFC 7517).

    As plain text the library would read `"..."` or `[...]` as JSON, and refuse what looks like PEM.
    """
    octets = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    return {"kty": "oct", "alg": ALGORITHM, "k": octets}


def _key_id(secret: str) -> str:
    return hmac.new(secret.encode(), b"kid", hashlib.sha256).hexdigest()[:16]
