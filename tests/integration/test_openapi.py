"""The OpenAPI document: sound, complete, and true to what the routes really answer."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import ApiClient, Person

# Everything else needs a token.
OPEN = {
    ("get", "/v1/health"),
    ("get", "/v1/health/live"),
    ("get", "/v1/health/ready"),
    ("get", "/v1/currencies"),
    ("post", "/v1/auth/signup"),
    ("post", "/v1/auth/login"),
    ("post", "/v1/auth/token"),
    ("post", "/v1/auth/refresh"),
}
FORM = "application/x-www-form-urlencoded"
HOSTILE: list[Any] = [
    None, True, 0, -1, 2**63, 10**29, 1.5, "", " ", "x" * 2000, "\N{GRINNING FACE}", "\u202e", [], {}, [[]],
    "usr_01kb3y8d4ke5v8m2n6p7q9r0st", "1'--", "a@b.test", "4111111111111111",
]  # fmt: skip


@pytest.fixture
def document(client: ApiClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def every_object(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from every_object(item)


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def test_the_document_holds_together(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.")
    for node in every_object(document):
        assert resolve(document, node) is not None
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for _, path, operation in operations(document):
        assert operation["tags"]
        assert operation["description"]
        in_path = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert [f"{{{name}}}" for name in in_path] == [part for part in path.split("/") if part[:1] == "{"]


def test_every_route_needs_a_token_but_the_listed_ones(client: ApiClient, document: dict[str, Any]) -> None:
    without = {(method, path) for method, path, one in operations(document) if not one.get("security")}
    assert without == OPEN
    for method, path, _ in operations(document):
        if (method, path) not in OPEN:
            answer = client.request(method, path)
            assert answer.status_code == 401, (method, path)
            assert answer.json()["error"]["code"] == "unauthenticated"


def test_every_refusal_is_the_envelope_and_every_success_has_a_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        good = [status for status in operation["responses"] if status < "300"]
        # What has been issued before is 200.
        assert good == (["201", "200"] if path.endswith("/issue") else good[:1]), (method, path)
        for status, response in operation["responses"].items():
            if status == "204":
                assert "content" not in response
                continue
            schema = response["content"].pop("application/json")["schema"]
            files = [media["schema"]["type"] for media in response["content"].values()]
            assert files == (len(files) * ["string"] if path.startswith("/v1/statements/") else [])
            assert resolve(document, schema)["type"] == "object"
            if status >= "400":
                assert schema == {"$ref": "#/components/schemas/Error"}


def test_no_number_in_the_document_has_a_fraction(document: dict[str, Any]) -> None:
    assert not [node for node in every_object(document) if node.get("type") == "number"]


def test_every_text_that_a_client_sends_has_an_end(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = resolve(document, media["schema"])
            assert schema["additionalProperties"] is False
            for name, field in schema["properties"].items():
                for part in every_object(field):
                    if part.get("type") == "string":
                        assert {"maxLength", "pattern", "enum", "const", "format"} & set(part), (path, name)


def test_no_secret_travels_in_a_url(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        names = [one["name"] for one in operation.get("parameters", []) if one["in"] in ("path", "query")]
        for name in names:
            assert not any(word in name for word in ("password", "token", "secret", "pin", "key", "code")), (
                path
            )


def test_times_are_documented_as_they_are_written(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["UserOut"]["properties"]["created_at"]
    assert schema["format"] == "date-time"
    assert schema["pattern"].endswith("Z$")


def hostile_requests(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {}
    yield {"params": {"nothing": "1"}}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            yield from ({"params": {parameter["name"]: str(value)}} for value in HOSTILE)
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        headers = {"Content-Type": kind}
        yield {"content": b"{", "headers": headers}
        yield {"content": b"{}", "headers": {"Content-Type": "text/plain"}}
        yield {"content": b" " * (1024 * 1024 + 1), "headers": headers}
        names = resolve(document, media["schema"])["properties"]
        valid = {name: "a@b.test" if name == "email" else "a good long password" for name in names}
        if kind == FORM:
            yield from ({"data": {**valid, name: str(value)}} for name in names for value in HOSTILE)
        else:
            yield from ({"json": value} for value in HOSTILE)
            yield from ({"json": {**valid, name: value}} for name in [*names, "extra"] for value in HOSTILE)


def test_hostile_requests_get_only_documented_statuses_and_never_a_500(
    client: ApiClient, document: dict[str, Any]
) -> None:
    people = [client, client.sign_up()]
    seen = set()
    for method, path, operation in sorted(operations(document), key=lambda one: "logout" in one[1]):
        for request in hostile_requests(document, operation):
            for who in people:
                answer = who.request(method, path.replace("{session_id}", "x"), **request)
                assert str(answer.status_code) in operation["responses"], (method, path, answer.text)
                assert answer.status_code < 500
                seen.add(answer.status_code)
    assert seen >= {200, 201, 204, 400, 401, 404, 409, 413, 415, 422, 429}
    assert isinstance(people[1], Person)
