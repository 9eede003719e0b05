import pytest

from app.core import clock, throttle
from app.core.throttle import FailureThrottle, throttle_address

ADA = ("ada@example.com", "192.0.2.1")
ADA_ELSEWHERE = ("ada@example.com", "192.0.2.2")
BOB = ("bob@example.com", "192.0.2.1")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of this test; it moves when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


def exhaust(brake: FailureThrottle, key: tuple[str, str | None], attempts: int) -> None:
    assert [brake.begin(key) for _ in range(attempts)] == [None] * attempts


def test_attempts_are_counted_before_they_are_made(seconds: list[float]) -> None:
    brake = FailureThrottle(3, 60)
    exhaust(brake, ADA, 3)
    assert brake.begin(ADA) == 60


def test_a_refused_attempt_does_not_make_the_lock_out_longer(seconds: list[float]) -> None:
    brake = FailureThrottle(3, 60)
    exhaust(brake, ADA, 3)
    seconds[0] += 59
    assert brake.begin(ADA) == 1
    seconds[0] += 1
    assert brake.begin(ADA) is None


def test_a_window_begins_with_its_first_failure_and_ends_on_time(seconds: list[float]) -> None:
    brake = FailureThrottle(2, 60)
    assert brake.begin(ADA) is None
    seconds[0] += 60
    exhaust(brake, ADA, 2)
    assert brake.begin(ADA) == 60


def test_a_success_begins_anew(seconds: list[float]) -> None:
    brake = FailureThrottle(3, 60)
    exhaust(brake, ADA, 3)
    brake.succeed(ADA)
    exhaust(brake, ADA, 3)
    assert brake.begin(ADA) == 60


def test_another_account_and_another_address_have_their_own_count(seconds: list[float]) -> None:
    brake = FailureThrottle(1, 60)
    exhaust(brake, ADA, 1)
    assert brake.begin(ADA) == 60
    assert brake.begin(ADA_ELSEWHERE) is None
    assert brake.begin(BOB) is None


def test_an_attempt_that_could_not_be_made_is_given_back_once(seconds: list[float]) -> None:
    brake = FailureThrottle(2, 60)
    exhaust(brake, ADA, 2)
    brake.give_back(ADA)
    assert brake.begin(ADA) is None
    assert brake.begin(ADA) == 60


def test_giving_back_never_makes_a_credit(seconds: list[float]) -> None:
    brake = FailureThrottle(1, 60)
    brake.give_back(ADA)
    exhaust(brake, ADA, 1)
    for _ in range(3):
        brake.give_back(ADA)
    exhaust(brake, ADA, 1)
    assert brake.begin(ADA) == 60


def test_windows_that_have_ended_are_forgotten(seconds: list[float]) -> None:
    brake = FailureThrottle(1, 60)
    for number in range(50):
        brake.begin((f"{number}@example.com", None))
    seconds[0] += 60
    brake.begin(ADA)
    assert list(brake._windows) == [ADA]


def test_a_flood_of_accounts_cannot_fill_the_memory(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "_MOST_KEYS", 10)
    brake = FailureThrottle(1, 60)
    for number in range(50):
        brake.begin((f"{number}@example.com", None))
    assert len(brake._windows) == 10
    assert brake.begin(("49@example.com", None)) == 60


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("a socket's name", "a socket's name"),
        (None, None),
    ],
)
def test_one_subscriber_counts_as_one_address(address: str | None, counted_as: str | None) -> None:
    assert throttle_address(address) == counted_as


def test_no_crowd_of_other_keys_lifts_a_lock_out(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "_MOST_KEYS", 10)
    brake = FailureThrottle(2, 60)
    exhaust(brake, ADA, 2)
    for number in range(100):
        assert brake.begin((str(number), None)) is None
    assert brake.begin(ADA) == 60


def test_an_attempt_that_is_given_back_leaves_nothing(seconds: list[float]) -> None:
    brake = FailureThrottle(1, 60)
    for _ in range(3):
        assert brake.begin(ADA) is None
        brake.give_back(ADA)
    assert brake._windows == {}
