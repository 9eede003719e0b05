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


def test_ids_of_many_threads_differ() -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(ids.new_id(ids.USER) for _ in range(500)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4000


def test_one_id_does_not_give_away_the_next() -> None:
    first, second = ids.uuid7(), ids.uuid7()
    assert first & (1 << 62) - 1 != second & (1 << 62) - 1
    assert abs((second & (1 << 62) - 1) - (first & (1 << 62) - 1)) > 2**20


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
