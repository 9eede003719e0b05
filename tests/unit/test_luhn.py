import random

import pytest

from app.core import luhn
from app.services.accounts import new_number


@pytest.mark.parametrize(
    ("digits", "check"),
    [("7992739871", "3"), ("411111111111111", "1"), ("37828224631000", "5"), ("0", "0"), ("1", "8")],
)
def test_the_check_digit_is_that_of_the_standard(digits: str, check: str) -> None:
    assert luhn.check_digit(digits) == check
    assert luhn.is_valid(digits + check)


def test_one_wrong_digit_is_seen_in_ten_thousand_account_numbers() -> None:
    chance = random.Random(1)
    numbers = [new_number() for _ in range(10_000)]
    assert len(set(numbers)) > 9_990
    for number in numbers:
        assert len(number) == 12
        assert luhn.is_valid(number)
        place = chance.randrange(12)
        wrong = (int(number[place]) + chance.randrange(1, 10)) % 10
        assert not luhn.is_valid(f"{number[:place]}{wrong}{number[place + 1 :]}")


def test_two_neighbours_swapped_are_seen_but_for_zero_and_nine() -> None:
    for first in range(10):
        for second in range(10):
            number = f"1{first}{second}3"
            number += luhn.check_digit(number)
            swapped = f"1{second}{first}3{number[-1]}"
            same = first == second or {first, second} == {0, 9}
            assert luhn.is_valid(swapped) is same


@pytest.mark.parametrize("text", ["", "0", "7", "7992739871a", "٠٠", "79927398714", " 79927398713", "18\n"])
def test_what_is_not_digits_with_their_check_digit_is_not_valid(text: str) -> None:
    assert not luhn.is_valid(text)
