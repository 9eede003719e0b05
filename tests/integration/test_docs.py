"""The interactive documentation works without a network, and its login is the real one."""

import re

import pytest

from app import __version__
from tests.client import PASSWORD, ApiClient


def test_the_page_loads_nothing_from_another_server(client: ApiClient) -> None:
    page = client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    files = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert len(files) == 3
    for file in files:
        assert file.startswith("/docs/assets/")
        assert client.get(file).status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text


@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect"])
def test_the_policy_lets_the_page_run_what_is_here_and_nothing_else(client: ApiClient, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    sources = {source for rule in policy.split("; ") for source in rule.split()[1:]}
    assert policy.startswith("default-src 'none'")
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:"}


def test_the_document_is_served_and_names_this_version(client: ApiClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["info"]["version"] == __version__
    assert not [path for path in document["paths"] if path.startswith("/docs")]


def test_authorize_logs_in_with_what_the_document_says(client: ApiClient) -> None:
    client.sign_up("ada@example.com")
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    url = schemes["login"]["flows"]["password"]["tokenUrl"]
    form = {"grant_type": "password", "username": "ada@example.com", "password": PASSWORD}
    tokens = client.post(url, data=form).json()
    assert tokens["token_type"] == "bearer"
    me = client.get("/v1/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["email"] == "ada@example.com"
