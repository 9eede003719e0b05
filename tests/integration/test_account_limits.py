"""How many accounts a holder has, which version is closed, and what a refused closing leaves."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from tests.bank import customer, keyed
from tests.client import ApiClient, error_of, running
from tests.conftest import settings_for

ACCOUNTS = "/v1/accounts"
EUROS = {"type": "checking", "currency": "EUR"}


def test_a_holder_has_so_many_accounts_and_no_more_also_at_the_same_instant(database_url: str) -> None:
    with running(settings_for(database_url, accounts_per_holder=4)) as client:
        ada = customer(client)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: ada.person.post(ACCOUNTS, json=EUROS), range(6)))
        assert sorted(one.status_code for one in answers) == [201, 201, 201, 409, 409, 409]
        error_of(ada.person.post(ACCOUNTS, json=EUROS), 409, "limit_exceeded")


def test_only_the_version_that_was_seen_is_closed(client: ApiClient) -> None:
    ada = customer(client)
    opened = ada.person.post(ACCOUNTS, json=EUROS, headers=keyed("k"))
    path = opened.headers["Location"]
    assert opened.headers["ETag"] == ada.person.get(path).headers["ETag"]
    assert "ETag" not in ada.person.post(ACCOUNTS, json=EUROS, headers=keyed("k")).headers
    error_of(ada.person.post(f"{path}/close", headers={"If-Match": '"999"'}), 412, "precondition_failed")
    closed = ada.person.post(f"{path}/close", headers={"If-Match": opened.headers["ETag"]})
    assert closed.status_code == 200
    assert closed.headers["ETag"] == ada.person.get(path).headers["ETag"] != opened.headers["ETag"]


def test_a_closing_that_is_refused_is_in_the_audit_log_and_keeps_no_key(client: ApiClient) -> None:
    ada = customer(client)
    ada.deposit(5)
    path = f"{ACCOUNTS}/{ada.id}/close"
    error_of(ada.person.post(path, headers=keyed("k")), 409, "balance_not_zero")
    sql = text("SELECT outcome FROM audit_log WHERE action = 'account.close' ORDER BY id")
    assert client.db.run_read(lambda session: list(session.scalars(sql))) == ["balance_not_zero"]
    ada.post("/v1/transactions", {"account_id": ada.id, "type": "withdrawal", "amount": 5, "currency": "EUR"})
    assert ada.person.post(path, headers=keyed("k")).status_code == 200
    assert client.db.run_read(lambda session: list(session.scalars(sql))) == ["balance_not_zero", "success"]


@pytest.mark.parametrize("given", [{}, {"destination_account_id": None}])
def test_a_missing_destination_is_told_with_everything_else(
    client: ApiClient, given: dict[str, None]
) -> None:
    ada = customer(client)
    body = {"source_account_id": ada.id, "amount": 0, "currency": "EUR", **given}
    error = error_of(ada.post("/v1/transfers", body), 422, "validation_failed")
    fields = {one["field"] for one in error["details"]}
    assert fields == {"amount", "destination_account_number"}


def test_who_may_not_fund_hears_that_before_anything_about_the_request(database_url: str) -> None:
    with running(settings_for(database_url, self_service_funding=False)) as client:
        ada = customer(client)
        error_of(ada.person.post("/v1/transactions", json={"amount": 0}), 403, "forbidden")
