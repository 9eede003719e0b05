import pytest

from app.api.errors import envelope, validation_failed
from app.core import errors
from app.core.errors import BankingError, Detail


@pytest.mark.parametrize(("given", "told"), [(0, "1"), (-3, "1"), (7, "7")])
def test_a_client_is_never_told_to_come_back_at_once(given: int, told: str) -> None:
    assert errors.Overloaded(retry_after=given).headers["Retry-After"] == told
    assert errors.RateLimited(retry_after=given).headers["Retry-After"] == told


@pytest.mark.parametrize(
    "error", [one for one in errors.catalogue() if one.status == 503], ids=lambda one: one.code
)
def test_every_503_says_when_to_try_again(error: type[BankingError]) -> None:
    assert error().headers["Retry-After"] == "1"


def test_the_envelope_is_json_in_utf_8_and_holds_the_details() -> None:
    answer = envelope(errors.NotFound([Detail("a.b", "c", "ü.")]), "r1")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert bytes(answer.body).decode() == (
        '{"error":{"code":"not_found","message":"There is no such thing here.",'
        '"details":[{"field":"a.b","code":"c","message":"\\u00fc."}],"request_id":"r1"}}'
    )


@pytest.mark.parametrize(
    ("location", "field"),
    [
        (("body",), "body"),
        (("body", "address", "city"), "address.city"),
        (("body", "transfers", 3, "amount"), "transfers[3].amount"),
        (("query", "created_at.gte"), "created_at.gte"),
        (("body", "last4"), "last4"),
        (("body", "Canary-Pw-93"), "*"),
        (("body", "4111111111111111"), "*"),
        (("body", "a4111111111111111"), "*"),
        (("body", "metadata", "hunter2 x", 0), "metadata.*[0]"),
        (("body", "a\n"), "*"),
        (("body", ""), "*"),
        (("body", "a" * 60), "*"),
    ],
)
def test_a_field_is_named_as_a_path_without_names_that_are_secrets(
    location: tuple[str | int, ...], field: str
) -> None:
    error = validation_failed([{"type": "missing", "loc": location}])
    assert [detail.field for detail in error.details] == [field]


def test_an_answer_names_a_hundred_wrong_fields_at_most() -> None:
    error = validation_failed([{"type": "missing", "loc": ("body", "a")}] * 5000)
    assert len(error.details) == 100


def test_a_complaint_of_one_kind_that_has_a_code_of_its_own_is_that_error() -> None:
    email = {"type": "invalid_email", "loc": ("body", "email"), "msg": "No.", "ctx": {"ours": True}}
    assert validation_failed([email]).code == "invalid_email"
    missing = {"type": "missing", "loc": ("body", "password")}
    assert validation_failed([email, missing]).code == "validation_failed"


def test_an_unknown_complaint_is_told_without_its_words() -> None:
    problem = {
        "type": "odd",
        "loc": ("body", "a"),
        "msg": "canary",
        "input": "canary",
        "ctx": {"x": "canary"},
    }
    (detail,) = validation_failed([problem]).details
    assert "canary" not in str(detail)
