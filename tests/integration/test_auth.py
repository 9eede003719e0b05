from tests.client import ApiClient


def test_a_new_customer_reads_who_they_are(client: ApiClient) -> None:
    ada = client.sign_up("Ada@Example.com")
    me = ada.get("/v1/auth/me").json()
    assert me["email"] == "ada@example.com"
    assert me["role"] == "customer"
