from app.core.money import CURRENCIES
from tests.client import ApiClient, error_of


def test_everybody_may_read_the_currencies_with_their_exponents(client: ApiClient) -> None:
    answer = client.get("/v1/currencies")
    assert answer.status_code == 200
    assert set(answer.json()) == {"data"}
    data = answer.json()["data"]
    assert data == [
        {"code": one.code, "name": one.name, "exponent": one.exponent} for one in CURRENCIES.values()
    ]
    assert [one["code"] for one in data] == sorted(one["code"] for one in data)
    exponents = {one["code"]: one["exponent"] for one in data}
    assert (exponents["EUR"], exponents["JPY"], exponents["KWD"], exponents["CLF"]) == (2, 0, 3, 4)


def test_the_list_of_currencies_has_no_pages_or_filters(client: ApiClient) -> None:
    error_of(client.get("/v1/currencies?limit=1"), 422, "validation_failed")
