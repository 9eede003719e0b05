import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import MAX_AMOUNT
from tests.unit.states import state


def test_available_is_what_is_booked_less_what_is_held_and_the_overdraft() -> None:
    assert state(balance=500, held=120, overdraft_limit=30).available == 410


@pytest.mark.parametrize(("amount", "covered"), [(500, True), (501, False)])
def test_a_customers_account_covers_what_is_available(amount: int, covered: bool) -> None:
    assert state().covers(amount) is covered
    assert state(kind="savings").covers(amount) is covered
    assert state(kind="cash").covers(amount)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_balance_has_room_up_to_the_largest_exact_integer(sign: int) -> None:
    assert state(balance=sign * 500).has_room_for(sign * (MAX_AMOUNT - 500))
    assert not state(balance=sign * 500).has_room_for(sign * (MAX_AMOUNT - 499))


def test_posting_counts_the_entry_and_marks_the_account() -> None:
    account = state(last_sequence=7)
    assert not account.touched
    account.post(-200, 99)
    assert (account.balance, account.last_sequence, account.last_booked_at) == (300, 8, 99)
    assert account.touched


@given(st.lists(st.integers(1, 100), max_size=20), st.integers(0, 200), st.integers(0, 50))
def test_credits_bring_an_account_back_to_its_floor_first(
    credits: list[int], forced: int, overdraft: int
) -> None:
    account = state(balance=-overdraft - forced, overdraft_limit=overdraft, unarranged=forced)
    for number, credit in enumerate(credits):
        account.post(credit, number)
        assert account.unarranged == max(0, forced - sum(credits[: number + 1]))
        assert account.available + account.unarranged >= 0


def test_a_debit_never_makes_money_unarranged() -> None:
    account = state(balance=500)
    account.post(-500, 1)
    assert (account.available, account.unarranged) == (0, 0)


def test_the_banks_own_accounts_have_nothing_unarranged() -> None:
    account = state(kind="cash", balance=0)
    account.post(-500, 1)
    assert account.unarranged == 0
