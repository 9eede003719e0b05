"""Card numbers: how they are made, and what is kept of them."""

import pytest

from app.core import luhn, pan
from app.core.iso3166 import COUNTRIES

KEY = "a key of the tests, which is long enough"


@pytest.mark.parametrize("iin", ["999999", "9999990", "99999900"])
def test_ten_thousand_numbers_have_their_length_their_beginning_and_their_check_digit(iin: str) -> None:
    numbers = [pan.new_number(iin) for _ in range(10_000)]
    for number in numbers:
        assert len(number) == 16
        assert number.startswith(iin)
        assert luhn.is_valid(number)
    # By chance a few can come twice; the database refuses the second.
    assert len(set(numbers)) > 9_900


def test_the_digits_between_are_spread_over_all_there_are() -> None:
    middles = [pan.new_number("999999")[6:15] for _ in range(2000)]
    for place in range(9):
        assert {middle[place] for middle in middles} == set("0123456789")


def test_a_fingerprint_is_the_same_for_the_same_number_and_key_only() -> None:
    one = pan.fingerprint("9999991234567890", KEY)
    assert len(one) == 32
    assert pan.fingerprint("9999991234567890", KEY) == one
    assert pan.fingerprint("9999991234567891", KEY) != one
    assert pan.fingerprint("9999991234567890", KEY + "x") != one


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4000000000000002", "visa"),
        ("5099999999999999", "private"),
        ("5100000000000000", "mastercard"),
        ("5599999999999999", "mastercard"),
        ("5600000000000000", "private"),
        ("2220999999999999", "private"),
        ("2221000000000000", "mastercard"),
        ("2720999999999999", "mastercard"),
        ("2721000000000000", "private"),
        ("9999990000000000", "private"),
    ],
)
def test_a_brand_is_told_by_the_first_digits(number: str, brand: str) -> None:
    assert pan.brand_of(number) == brand


def test_the_countries_are_those_of_the_standard_and_kosovo() -> None:
    assert len(COUNTRIES) == 250
    assert {"AT", "GB", "US", "JP", "XK"} <= COUNTRIES
    assert not {"UK", "EU", "ZZ", "AN", "SU"} & COUNTRIES
