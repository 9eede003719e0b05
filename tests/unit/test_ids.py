import itertools
import os
import threading
from datetime import timedelta

import pytest

from app.core import clock, ids


@pytest.fixture(autouse=True)
def _no_ids_were_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids never go back: a test that moved the clock ahead would leave them ahead of it here."""
    monkeypatch.setattr(ids, "_stamps", ids._Stamps())


def test_an_id_is_its_prefix_and_a_uuid_of_version_7() -> None:
    one = ids.new_id(ids.USER)
    prefix, _, text = one.partition("_")
    number = 0
    for character in text:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(character)
    assert (prefix, len(text)) == ("usr", 26)
    assert number >> 76 & 0xF == 7
    assert number >> 62 & 0b11 == 0b10
    assert abs((number >> 80) - clock.to_micros(clock.now()) // 1000) < 60_000
    assert ids.is_id("usr", one)


def test_ids_rise_in_the_order_they_were_made_also_while_the_clock_stands_or_steps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.now()
    for step in (0, 0, -3600):
        monkeypatch.setattr(clock, "now", lambda step=step: now + timedelta(seconds=step))
        made = [ids.new_id(ids.USER) for _ in range(5000)]
        later = ids.new_id(ids.USER)
        assert sorted(made) == made
        assert len(set(made)) == 5000
        assert later > made[-1]


def test_ids_and_keys_of_many_threads_differ() -> None:
    made: list[str | int] = []
    threads = [
        threading.Thread(
            target=lambda: made.extend(
                one for _ in range(500) for one in (ids.new_id(ids.USER), ids.new_key())
            )
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000


def test_keys_rise_in_the_order_they_were_made_and_fit_in_63_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    last = 0
    for step in (0, 0, -3600):
        monkeypatch.setattr(clock, "now", lambda step=step: now + timedelta(seconds=step))
        made = [ids.new_key() for _ in range(5000)]
        assert sorted(made) == made
        assert last < made[0] < made[-1] < 2**63
        last = made[-1]


def test_no_key_is_smaller_than_the_first_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.now().replace(microsecond=123_000) - timedelta(days=1)
    monkeypatch.setattr(ids, "_stamps", ids._Stamps())
    for earlier in (1, 0):
        monkeypatch.setattr(clock, "now", lambda e=earlier: at - timedelta(microseconds=e))
        assert (ids.new_key() >= ids.first_key_at(at)) is (earlier == 0)


def test_one_id_does_not_give_away_the_next() -> None:
    chances = []
    for _ in range(2_000):
        number = 0
        for character in ids.new_id(ids.USER)[4:]:
            number = number * 32 + ids._ALPHABET.index(character)
        chances.append(number & (1 << 62) - 1)
    assert len(set(chances)) == 2_000
    assert min(abs(second - first) for first, second in itertools.pairwise(chances)) > 2**20


def test_the_child_of_a_fork_draws_other_ids_than_its_parent() -> None:
    ids.new_id(ids.USER)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(ids._chance.next()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 100)) != ids._chance.next()
    os.close(reading)
    os.close(writing)


GOOD = "usr_01kb3y8d4ke5v8m2n6p7q9r0st"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "usr",
        "usr_",
        "1",
        "-1",
        str(2**63),
        "NaN",
        "00000000-0000-4000-8000-000000000000",
        GOOD[:-1],
        GOOD + "0",
        GOOD.upper(),
        GOOD.replace("usr", "ses"),
        GOOD.replace("usr_", "usr-"),
        GOOD.replace("usr_0", "usr_8"),
        *(GOOD[:-1] + letter for letter in "iloU\0é١ \n"),
        GOOD + "\n",
        " " + GOOD,
        "usr_" + GOOD,
        "x" * 1_000_000,
    ],
)
def test_what_is_not_exactly_an_id_is_none(value: str) -> None:
    assert ids.is_id("usr", GOOD)
    assert not ids.is_id("usr", value)
