from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.core import ids
from tests.tokens import SIGNER, claims, decoded, encoded, header, refused, signed

GOOD = SIGNER.issue(ids.new_id(ids.USER), ids.new_id(ids.SESSION))
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "null",
        "a.b.c",
        "\0.\0.\0",
        HEAD,
        f"{HEAD}.{PAYLOAD}",
        f"{HEAD}.{PAYLOAD}.",
        f".{PAYLOAD}.{SIGNATURE}",
        f"{HEAD}..{SIGNATURE}",
        f"{GOOD}.",
        f".{GOOD}",
        f"{GOOD}.{SIGNATURE}",
        f"{HEAD}.{PAYLOAD}.{SIGNATURE[:-1]}",
        f"{HEAD}.{PAYLOAD}.{SIGNATURE[:22]}",
        f"{HEAD}.{PAYLOAD}.{SIGNATURE}=",
        f"{HEAD}=.{PAYLOAD}.{SIGNATURE}",
        f"{HEAD}.{PAYLOAD}==.{SIGNATURE}",
        f"{GOOD}\n",
        f" {GOOD}",
        f"{GOOD[:10]} {GOOD[10:]}",
        f"{GOOD}é",
        GOOD.replace(".", "。"),
        GOOD.replace(".", "%2e"),
        f"{encoded({'alg': 'none'})}.{PAYLOAD}.",
        f"{encoded(header(alg='none'))}.{PAYLOAD}.",
        f"{encoded(header(alg='NoNe'))}.{PAYLOAD}.{SIGNATURE}",
        # A compressed, encrypted token has five parts and is never opened.
        f"{encoded({'alg': 'dir', 'enc': 'A128CBC-HS256', 'zip': 'DEF'})}..AAAA.AAAA.AAAA",
        "x" * 4096,
        "x" * 5_000_000,
        "." * 5_000_000,
        "\ud800",
    ],
    ids=lambda token: f"{len(token)} {token[:20]!a}",
)
def test_text_that_is_no_token_is_refused(token: str) -> None:
    assert refused(token)


def test_a_valid_token_that_is_too_long_is_refused() -> None:
    assert refused(signed(header(), claims(note="x" * 4096)))


def test_every_other_base64_spelling_of_the_signature_is_refused() -> None:
    # The last character carries two bits that the decoder drops.
    spellings = [f"{GOOD[:-1]}{letter}" for letter in ALPHABET if letter != GOOD[-1]]
    assert [spelling for spelling in spellings if not refused(spelling)] == []


def test_the_standard_alphabet_is_refused_where_it_differs() -> None:
    tokens = (signed(header(), claims(jti=f"{number}")) for number in range(1000))
    token = next(token for token in tokens if "-" in token or "_" in token)
    assert not refused(token)
    assert refused(token.replace("-", "+").replace("_", "/"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "jku", "x5u", "zip", "b64", "cty"])
REQUIRED = st.sampled_from(["iss", "aud", "sub", "sid", "exp"])


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The good token with a few characters replaced, inserted, taken out or doubled."""
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text) - 1))
        till = min(len(text), at + draw(st.integers(0, 3)))
        text = text[:at] + draw(st.text(st.sampled_from(ALPHABET + "=+/. \n%\0é"), max_size=3)) + text[till:]
    return text


def _forged_head(name: str, value: Any) -> str:
    return signed(header(**{name: value}), claims())


MUTANTS = st.one_of(
    edited(),
    st.text(max_size=60),
    st.permutations([HEAD, PAYLOAD, SIGNATURE]).map(".".join),
    st.builds(lambda head: f"{encoded(head)}.{PAYLOAD}.{SIGNATURE}", JSON),
    st.builds(lambda payload: f"{HEAD}.{encoded(payload)}.{SIGNATURE}", JSON),
    st.builds(lambda raw: f"{HEAD}.{PAYLOAD}.{encoded(raw)}", st.binary(max_size=64)),
    # Signed by the right secret: what only a fault of ours could make.
    st.builds(_forged_head, NAMES, JSON),
    st.builds(lambda head: signed(head, claims()), JSON),
    st.builds(lambda payload: signed(header(), payload), JSON),
    st.builds(lambda name, value: signed(header(), claims(**{name: value})), REQUIRED, JSON),
    st.builds(signed, st.binary(max_size=40), st.binary(max_size=40)),
)


@settings(max_examples=500, deadline=None)
@given(MUTANTS)
def test_any_mutation_of_a_token_is_refused_and_never_a_crash(token: str) -> None:
    assume(token != GOOD)
    if not refused(token):
        # The only mutants that may pass say the same as an honest token, under a true signature.
        head, payload, _ = token.split(".")
        assert token == signed(decoded(head), decoded(payload))
        assert decoded(head) == decoded(encoded(header()))
