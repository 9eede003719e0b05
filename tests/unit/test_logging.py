import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.core.config import LogLevel
from app.core.logging import configure_logging, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


@contextmanager
def configured() -> Iterator[logging.Logger]:
    """A logger of a process with our logging; that of the tests is set back afterwards."""
    root = logging.root
    handlers, level = root.handlers[:], root.level
    configure_logging(LogLevel.INFO)
    try:
        yield logging.getLogger("app.test")
    finally:
        root.handlers, root.level = handlers, level
        logging.getLogger("uvicorn.access").disabled = False


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_record_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    with configured() as logger:
        logger.info("two\nlines of %s", "text", extra={"request_id": "r1", "status": 200})
        logger.debug("below the level")
    (line,) = lines(capsys)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "app.test",
        "message": "two\nlines of text",
        "request_id": "r1",
        "status": 200,
    }


def test_the_servers_own_lines_go_the_same_way_but_not_its_access_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with configured():
        logging.getLogger("uvicorn.error").info("started")
        logging.getLogger("uvicorn.access").info("GET /?token=%s", JWT)
    assert [line["message"] for line in lines(capsys)] == ["started"]


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        JWT[:30],
        "rt_" + "a-_Z" * 10,
        "bk_live_" + "a" * 20,
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$aGFzaA",
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111 1111 1111 1111",
        "4111+1111+1111+1111",
        "4111%201111%201111%201111",
        "6304000000000000000",
    ],
)
@pytest.mark.parametrize("sentence", ["{}", "it was {}.", "card={},", "'{}'", "[{}]", "a: {}\nb"])
def test_what_has_the_shape_of_a_secret_is_blotted_out(secret: str, sentence: str) -> None:
    assert redact(sentence.format(secret)) == sentence.format("[redacted]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://bank:canary@db/x failed", "postgresql://[redacted]@db/x failed"),
        ("redis://:canary@db", "redis://[redacted]@db"),
        ("[SQL: INSERT] [parameters: ('canary', 1)]\nmore", "[SQL: INSERT] [parameters: [redacted]\nmore"),
        ("ERROR\nDETAIL:  Key (email)=(canary) exists.\nHINT", "ERROR\nDETAIL:[redacted]\nHINT"),
    ],
)
def test_values_inside_of_a_text_are_blotted_out(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "req_01kb3y8d4ke5v8m2n6p7q9r0st",
        "usr_0123456789012345678901234",
        "2026-02-01T09:30:00.000000Z",
        "1050",
        "12.3456789012345",
        "0.12345678901234567",
        "http://127.0.0.1:8000/v1",
        "9007199254740991.5",
    ],
)
def test_ids_times_and_amounts_stay_readable(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "passwd",
        "JWT_SECRET",
        "access_token",
        "Authorization",
        "Cookie",
        "api_key",
        "CARD_KEY",
        "apikey",
        "pan",
    ],
)
def test_values_under_the_name_of_a_secret_are_blotted_out_at_any_depth(name: str) -> None:
    record = {"a": [({name: "canary", "span": "kept", "n": 1},)]}
    assert redact(record) == {"a": [[{name: "[redacted]", "span": "kept", "n": 1}]]}


def test_an_exception_is_logged_with_its_trace_and_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with configured() as logger:
        try:
            raise ValueError(f"refused {JWT} and 4111111111111111")
        except ValueError:
            logger.exception("failed with %s", JWT, extra={"detail": {"password": "canary"}})
    (line,) = lines(capsys)
    assert "Traceback" in line["exc_info"]
    assert "ValueError: refused [redacted] and [redacted]" in line["exc_info"]
    assert JWT not in str(line)
    assert line["detail"] == {"password": "[redacted]"}
