from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core import clock, ids
from app.core.kept_secrets import resolve_jwt_secret
from app.core.security import TokenSigner
from tests.conftest import SECRET, settings_for
from tests.tokens import SIGNER, claims, decoded, header, refused, signed

MINUTES = timedelta(minutes=15)
USER, SESSION = ids.new_id(ids.USER), ids.new_id(ids.SESSION)
# It is made when the file is read, and a run of all tests takes longer than a token usually lives.
GOOD = TokenSigner(SECRET, [], timedelta(days=1)).issue(USER, SESSION)

# Signed with the right secret, and still no access token.
WRONG_HEADERS: dict[str, Any] = {
    "alg none": header(alg="none"),
    "alg in odd case": header(alg="hs256"),
    "alg HS384 in name": header(alg="HS384"),
    "alg RS256": header(alg="RS256"),
    "alg as a list": header(alg=["HS256"]),
    "alg null": header(alg=None),
    "no alg": header(alg=...),
    "no typ": header(typ=...),
    "typ JWT": header(typ="JWT"),
    "typ of a refresh token": header(typ="rt+jwt"),
    "no kid": header(kid=...),
    "unknown kid": header(kid="0" * 16),
    "kid that is a path": header(kid="../../dev/null"),
    "kid null": header(kid=None),
    "kid as a list": header(kid=["x"]),
    "kid as an object": header(kid={}),
    "crit": header(crit=["exp"]),
    "unknown crit": header(crit=["x"]),
    "empty crit": header(crit=[]),
    "jwk": header(jwk={"kty": "oct", "k": "AAAA"}),
    "jku": header(jku="http://192.0.2.9/keys"),
    "x5u": header(x5u="http://192.0.2.9/cert"),
    "x5c": header(x5c=["AAAA"]),
    "zip": header(zip="DEF"),
    "b64": header(b64=False),
    "cty": header(cty="JWT"),
    "an empty object": {},
    "a list": [],
    "a text": '"HS256"',
    "null": "null",
    "a number": "1",
    "no JSON": "{",
    "nothing": "",
    "no UTF-8": b"\xff\xfe",
    "deep nesting": "[" * 2500,
    "NaN": '{"alg":NaN}',
}
WRONG_CLAIMS: dict[str, Any] = {
    **{f"no {name}": claims(**{name: ...}) for name in ("iss", "aud", "sub", "sid", "jti", "iat", "exp")},
    **{
        f"{name} {value!r}": claims(**{name: value})
        for name in ("iss", "aud", "sub", "sid", "jti")
        for value in ("", "None", None, 1, True, [], {}, ["banking-service"], "banking-service ", "\0", "é")
        if not (name == "jti" and isinstance(value, str))
    },
    **{
        f"{name} {value!r}": claims(**{name: value})
        for name in ("exp", "iat", "nbf")
        for value in ("9999999999", None, True, 1.5, 9999999999.0, [], {}, float("nan"), float("inf"))
    },
    "exp in the past": claims(exp=1),
    "exp negative": claims(exp=-1),
    "exp zero": claims(exp=0),
    "iat in ten years": claims(iat=4_000_000_000, exp=4_000_000_900),
    "iat beyond every calendar": claims(iat=10**30),
    "nbf tomorrow": claims(nbf=claims()["iat"] + 86400),
    "nbf beyond every calendar": claims(nbf=10**30),
    "sub of another kind": claims(sub=SESSION),
    "sub in capitals": claims(sub=USER.upper()),
    "sid of another kind": claims(sid=USER),
    "sub beyond 128 bits": claims(sub="usr_8" + "0" * 25),
    "1e400": '{"exp": 1e400}',
    "a list": [],
    "a text": '"x"',
    "null": "null",
    "no JSON": "{",
    "nothing": "",
    "no UTF-8": b"\xff\xfe",
    "deep nesting": "[" * 2500,
}


def test_a_token_by_hand_is_accepted_so_that_the_refusals_below_mean_something() -> None:
    assert not refused(signed(header(), claims()))
    assert not refused(signed(header(), claims(nbf=claims()["iat"])))
    assert SIGNER.verify(GOOD).user_id == USER
    assert SIGNER.verify(GOOD).session_id == SESSION


@pytest.mark.parametrize("head", WRONG_HEADERS.values(), ids=WRONG_HEADERS)
def test_a_header_that_is_not_exactly_ours_is_refused(head: Any) -> None:
    assert refused(signed(head, claims()))


@pytest.mark.parametrize("payload", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_claims_that_are_missing_or_of_another_type_are_refused(payload: Any) -> None:
    assert refused(signed(header(), payload))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_hash_with_the_right_secret_is_refused(algorithm: str) -> None:
    assert refused(signed(header(alg=algorithm), claims(), algorithm=algorithm))
    assert refused(signed(header(), claims(), algorithm=algorithm))


@pytest.mark.parametrize(
    "secret", ["", "another secret of 32 characters!!", SECRET.upper(), SECRET + " ", b"\0"]
)
def test_another_secret_is_refused(secret: str | bytes) -> None:
    assert refused(signed(header(), claims(), secret))


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the clock to this long after the tokens of the test were made."""
    start = datetime.now(UTC)
    monkeypatch.setattr(clock, "now", lambda: start)
    return lambda step: monkeypatch.setattr(clock, "now", lambda: start + step)


@pytest.mark.parametrize("seconds", [-30, -5, 0, 5, 898])
def test_a_clock_that_steps_a_little_refuses_no_fresh_token(
    set_clock: Callable[[timedelta], None], seconds: int
) -> None:
    token = SIGNER.issue(USER, SESSION)
    set_clock(timedelta(seconds=seconds))
    assert not refused(token)


@pytest.mark.parametrize("seconds", [-86400, -120, -32, 900, 3600, 10**9])
def test_a_token_from_the_future_and_one_past_its_life_are_refused(
    set_clock: Callable[[timedelta], None], seconds: int
) -> None:
    token = SIGNER.issue(USER, SESSION)
    set_clock(timedelta(seconds=seconds))
    assert refused(token)


def test_a_rotated_secret_still_verifies_until_it_is_taken_off_the_list() -> None:
    new, newest = "the second secret of these tests!", "the third secret of these tests!!"
    rotated = TokenSigner(newest, [SECRET, new], MINUTES)
    assert rotated.verify(GOOD).user_id == USER
    assert not refused(rotated.issue(USER, SESSION), TokenSigner(newest, [], MINUTES))
    assert refused(rotated.issue(USER, SESSION), SIGNER), "new tokens are signed with the new secret"
    assert refused(GOOD, TokenSigner(newest, [new], MINUTES))


def test_a_previous_secret_does_not_sign_under_the_name_of_the_current_one() -> None:
    rotated = TokenSigner("the second secret of these tests!", [SECRET], MINUTES)
    head = header(kid=rotated._kid)
    assert refused(signed(head, claims()), rotated)


@pytest.mark.parametrize(
    "secret",
    [
        "s" * 32,
        " " * 32,
        "é" * 32,
        "\N{THUMBS UP SIGN}" * 32,
        "1" * 40,
        '"' + "s" * 40 + '"',
        '["' + "s" * 40 + '"]',
        '{"keys": "' + "s" * 40 + '"}',
        '{"kty": "' + "s" * 40 + '"}',
        "ssh-rsa " + "s" * 40,
        "-----BEGIN PUBLIC KEY-----\n" + "s" * 40,
    ],
)
def test_any_long_secret_signs_as_its_utf8_bytes(secret: str) -> None:
    signer = TokenSigner(
        resolve_jwt_secret(settings_for("sqlite:///unused.db", jwt_secret=secret)), [], MINUTES
    )
    token = signer.issue(USER, SESSION)
    assert signer.verify(token).user_id == USER
    head, payload, _ = token.split(".")
    assert token == signed(decoded(head), decoded(payload), secret)


def test_every_token_has_an_id_of_its_own() -> None:
    assert len({SIGNER.issue(USER, SESSION) for _ in range(50)}) == 50
