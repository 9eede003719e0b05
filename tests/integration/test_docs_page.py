"""The documentation in the browser: it works without a network, and its Authorize button logs in."""

import json
import re
from html.parser import HTMLParser

import pytest

from tests.client import PASSWORD, ApiClient


class _Links(HTMLParser):
    """Every address that a page loads something from."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href", "action") and value]


@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect"])
def test_the_pages_name_no_foreign_host(client: ApiClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?:|//[a-z]", re.sub(r"(?m)^\s*//.*|<!--.*?-->", "", page.text))


def test_what_the_page_loads_is_served_and_allowed_by_its_policy(client: ApiClient) -> None:
    page = client.get("/docs")
    links = _Links()
    links.feed(page.text)
    kinds = {"js": "javascript", "css": "text/css", "png": "image/png"}
    assert len(links.found) >= 3
    for link in links.found:
        asset = client.get(link)
        assert asset.status_code == 200
        assert kinds[link.rpartition(".")[2]] in asset.headers["content-type"]
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for source in ("script-src", "style-src", "img-src", "connect-src"):
        assert "'self'" in policy[source]
    assert not re.search(r"https?:|\*", page.headers["content-security-policy"])


def test_the_page_reads_our_document_and_shows_it_to_no_validator(client: ApiClient) -> None:
    page = client.get("/docs").text
    assert re.search(r"url: '/openapi\.json'", page)
    assert '"validatorUrl": null' in page
    assert client.get("/openapi.json").json()["info"]["title"] == "banking-service"


def test_authorize_sends_its_form_to_the_real_login(client: ApiClient) -> None:
    client.sign_up()
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    (flows,) = [scheme["flows"] for scheme in schemes.values()]
    # What Swagger UI sends: the form of RFC 6749, and the (empty) client as a Basic header.
    form = {"grant_type": "password", "username": "ada@example.com", "password": PASSWORD}
    headers = {"Authorization": "Basic Og==", "X-Requested-With": "XMLHttpRequest"}
    answer = client.post(flows["password"]["tokenUrl"], data=form, headers=headers)
    assert answer.status_code == 200, answer.text
    tokens = json.loads(answer.text)
    assert tokens["token_type"] == "bearer"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert client.get("/v1/auth/me", headers=bearer).json()["email"] == "ada@example.com"
