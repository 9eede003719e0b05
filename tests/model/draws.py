"""Who is in a history, what they have, and what is drawn for the next step."""

from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

from hypothesis import strategies as st

from tests.model.words import AUDITOR, CUSTOMER, MOST, OPERATOR, TELLER, Person

PEOPLE = {
    "ada": Person(CUSTOMER, is_holder=True),
    "ben": Person(CUSTOMER, is_holder=True),
    "cora": Person(CUSTOMER),
    "wanda": Person(None, is_holder=True),
    "teller": Person(TELLER),
    "operator": Person(OPERATOR),
    "auditor": Person(AUDITOR),
}
# In dollars little may leave an account in a day; in yen accounts are filled to the brim.
LIMITS = {"USD": 600}
FIRST_ACCOUNTS = (
    ("ada", "EUR"),
    ("ada", "EUR"),
    ("ada", "USD"),
    ("ben", "EUR"),
    ("wanda", "EUR"),
    ("ada", "JPY"),
    ("ben", "JPY"),
    ("ben", "USD"),
    # So that somebody pays into an account of their own that is full.
    ("ada", "JPY"),
)
FIRST_HOLDS = (("account 1", "account 3"), ("account 3", "account 1"))
YEN = ("account 5", "account 6")

OWNER, ITS_OWN, FRESH = "its owner", "its own", "fresh"
NOWHERE = ["account 11", "cash EUR", "acc_" + "0" * 26, "000000000000"]
NAMES = [f"account {number}" for number in range(len(FIRST_ACCOUNTS))]
ALIKE = [
    (source, destination)
    for (source, (_, one)), (destination, (_, other)) in permutations(
        zip(NAMES, FIRST_ACCOUNTS, strict=True), 2
    )
    if one == other
]


def mostly(usual: Sequence[Any], unusual: Sequence[Any]) -> st.SearchStrategy[Any]:
    """The usual five times in six, so that histories get somewhere, and still break rules in pairs."""
    return st.sampled_from([*usual] * (5 * len(unusual)) + [*unusual] * len(usual))


people = st.sampled_from([name for name, one in PEOPLE.items() if one.role])
callers = mostly([OWNER], [name for name, one in PEOPLE.items() if one.role])
accounts = mostly([*NAMES, "account 9"], NOWHERE)
pairs = mostly(ALIKE, [*product(NAMES[:4], NAMES[-2:]), *product(NAMES[1:3], NOWHERE), (NAMES[0], NAMES[0])])
currencies = mostly([ITS_OWN], ["EUR", "USD", "JPY", "KWD"])
amounts = mostly([1, 7, 50, 120, "all"], [400, "all and 1", 0, MOST, MOST + 1])
keys = mostly([FRESH], ["k1", "k2", None])


def _item(who: str) -> st.SearchStrategy[tuple[Any, ...]]:
    """A transfer of somebody's bulk: pair, by, amount, currency, key. Most of them can be done."""
    own = [(source, to) for source, to in ALIKE if who == _payer(source)]
    return st.tuples(
        mostly(own, [*ALIKE[::7], (NAMES[1], NOWHERE[-1]), (NAMES[0], NAMES[0])]),
        mostly(["number"], ["id"]),
        mostly([1, 7, 20, 50], ["all", 400, "all and 1", 0]),
        mostly([ITS_OWN], ["USD", "KWD"]),
        mostly([None, FRESH], ["k1", "k2"]),
    )


def _payer(account: str) -> str:
    """Who pays from one of the first accounts: its owner or, where they have no login, the teller."""
    holder = FIRST_ACCOUNTS[NAMES.index(account)][0]
    return holder if PEOPLE[holder].role else "teller"


bulks = st.sampled_from(["ada", "ada", "ben", "teller"]).flatmap(
    lambda who: st.tuples(st.just(who), st.lists(_item(who), min_size=1, max_size=4))
)
