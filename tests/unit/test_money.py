import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import iso4217
from app.core.money import CURRENCIES, MAX_AMOUNT, MAX_BANK_BALANCE


@pytest.mark.parametrize(
    ("code", "minor_units", "text"),
    [
        ("EUR", 1050, "10.50"),
        ("EUR", -1050, "-10.50"),
        ("EUR", 5, "0.05"),
        ("EUR", -5, "-0.05"),
        ("EUR", 0, "0.00"),
        ("JPY", 500, "500"),
        ("JPY", 0, "0"),
        ("JPY", -500, "-500"),
        ("KWD", 1050, "1.050"),
        ("KWD", 1, "0.001"),
        ("CLF", 12345, "1.2345"),
        ("USD", MAX_AMOUNT, "90071992547409.91"),
    ],
)
def test_amounts_are_written_by_the_exponent(code: str, minor_units: int, text: str) -> None:
    assert CURRENCIES[code].format(minor_units) == text


@given(st.integers(-MAX_AMOUNT, MAX_AMOUNT), st.sampled_from(sorted(CURRENCIES)))
def test_an_amount_can_be_read_back_from_its_text(minor_units: int, code: str) -> None:
    text = CURRENCIES[code].format(minor_units)
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text)
    assert len(text.partition(".")[2]) == CURRENCIES[code].exponent
    assert int(text.replace(".", "")) == minor_units


def test_amounts_end_where_every_reader_keeps_them_and_six_of_the_banks_balances_fit_63_bits() -> None:
    assert (MAX_AMOUNT, MAX_BANK_BALANCE) == (9_007_199_254_740_991, 1_152_921_504_606_846_976)
    assert float(MAX_AMOUNT + 2) == float(MAX_AMOUNT + 1), "beyond, two integers look the same"
    assert 6 * MAX_BANK_BALANCE < 2**63


def test_the_table_has_the_currencies_in_use_and_no_others() -> None:
    assert {code: CURRENCIES[code].exponent for code in ("EUR", "USD", "GBP", "JPY", "KWD", "CLF")} == {
        "EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "KWD": 3, "CLF": 4,
    }  # fmt: skip
    assert {"XAF", "XOF", "XPF", "XCD", "XCG"} <= set(CURRENCIES)
    not_money = {"XAU", "XAG", "XPT", "XPD", "XXX", "XTS", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD"}
    funds = {"BOV", "CHE", "CHW", "COU", "MXV", "USN", "UYI", "UYW"}
    historic = {"DEM", "FRF", "HRK", "BGN", "ANG", "CUC", "SLL", "ZWL", "VEF", "BYR", "MRO", "STD"}
    assert not (not_money | funds | historic) & set(CURRENCIES)


def test_each_currency_is_there_once_with_a_code_a_name_and_a_plausible_exponent() -> None:
    rows = iso4217.rows()
    assert len({code for code, _, _ in rows}) == len(rows) == len(CURRENCIES) > 150
    for code, name, exponent in rows:
        assert re.fullmatch("[A-Z]{3}", code)
        assert name == name.strip() != ""
        assert exponent in (0, 2, 3, 4)
    three = {code for code, _, exponent in rows if exponent == 3}
    none = " ".join(code for code, _, exponent in rows if exponent == 0)
    assert three == {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
    assert none == "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", iso4217.TABLE_DATE)
