import asyncio
from collections.abc import Iterator

import pytest

from app.core import errors
from app.core.config import Environment
from app.core.security import PasswordHasher, digest, is_common_password, new_refresh_token


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    made = PasswordHasher(Environment.TEST, workers=2)
    yield made
    made.close()


@pytest.mark.parametrize("environment", [Environment.DEV, Environment.STAGING, Environment.PROD])
def test_passwords_cost_19_mib_two_passes_and_one_lane(environment: Environment) -> None:
    hasher = PasswordHasher(environment, workers=1)
    stored = hasher.hash_now("a good long password")
    hasher.close()
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_unknown_user_costs_the_same_parameters_as_a_known_one() -> None:
    hasher = PasswordHasher(Environment.PROD, workers=1)
    hasher.close()
    assert hasher._nobody.split("$")[:4] == hasher.hash_now("a good long password").split("$")[:4]


def test_the_profile_of_the_tests_is_cheap_and_still_argon2id(hasher: PasswordHasher) -> None:
    assert hasher.hash_now("a good long password").startswith("$argon2id$v=19$m=64,t=1,p=1$")


def test_two_users_with_one_password_have_different_hashes(hasher: PasswordHasher) -> None:
    assert hasher.hash_now("a good long password") != hasher.hash_now("a good long password")


def test_a_hash_of_another_cost_still_verifies(hasher: PasswordHasher) -> None:
    dear = PasswordHasher(Environment.PROD, workers=1)
    dear.close()
    assert asyncio.run(hasher.verify("a good long password", dear.hash_now("a good long password")))


@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("a" * 73, "a" * 72),
        ("п" * 37, "п" * 36),
        ("\N{THUMBS UP SIGN}" * 64, "\N{THUMBS UP SIGN}" * 63),
        ("abcdefgh\0b", "abcdefgh\0c"),
        ("abcdefgh\0b", "abcdefgh"),
        (" a good password", "a good password"),
        ("a good password ", "a good password"),
        ("A good password", "a good password"),
        ("café au lait", "cafe\u0301 au lait"),
        ("x" * 1024, "x" * 1023),
    ],
)
def test_a_password_is_checked_to_its_last_byte(hasher: PasswordHasher, password: str, other: str) -> None:
    stored = hasher.hash_now(password)
    assert asyncio.run(hasher.verify(password, stored)) is True
    assert asyncio.run(hasher.verify(other, stored)) is False


def test_nobody_has_any_password_and_the_try_is_a_verification(hasher: PasswordHasher) -> None:
    assert asyncio.run(hasher.verify("a good long password", None)) is False
    assert hasher.verifications == 1


@pytest.mark.parametrize("password", ["password", "PassWord1", "12345678", "iloveyou", "QWERTYUIOP"])
def test_the_most_used_passwords_are_known_in_any_case(password: str) -> None:
    assert is_common_password(password)


@pytest.mark.parametrize("password", ["a good long password", "password longer", " password ", "ｐassword"])
def test_other_passwords_are_not_common(password: str) -> None:
    assert not is_common_password(password)


def test_a_flood_of_hashing_is_refused_instead_of_queued_without_end(hasher: PasswordHasher) -> None:
    async def flood() -> list[object]:
        tries = (hasher.verify("a good long password", None) for _ in range(80))
        return await asyncio.gather(*tries, return_exceptions=True)

    outcomes = asyncio.run(flood())
    assert outcomes[:64] == [False] * 64
    assert all(isinstance(outcome, errors.Overloaded) for outcome in outcomes[64:])
    assert hasher.verifications == 64
    assert asyncio.run(hasher.verify("a good long password", None)) is False, "the pool is free again"


def test_refresh_tokens_are_random_and_only_their_digest_is_recognisable() -> None:
    tokens = {new_refresh_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(len(token) for token in tokens) == len("rt_") + 43
    assert len({digest(token) for token in tokens}) == 100
    assert digest("\ud800") == digest("\ud800"), "any text that JSON can carry has one"
