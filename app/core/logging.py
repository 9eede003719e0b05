"""Structured logs: one JSON object a line on standard output, with secrets blotted out.

Nothing in this service logs a body, a header value or an SQL parameter. The redaction below is the
second line of defence: against an exception text or a library that does.
"""

import json
import logging
import re
import sys
from typing import Any, Final

from pythonjsonlogger.json import JsonFormatter

from app.core import clock
from app.core.config import LogLevel

ACCESS_LOG: Final = "app.access"
# What its records have as `extra`: texts and numbers.
_OF_A_REQUEST: Final = ("request_id", "method", "path", "status", "ms", "address")
_in_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_BLOT: Final = "[redacted]"
_SECRET_NAMES: Final = re.compile(r"passw|secret|token|authorization|cookie|(?:api|card)_?key|\bpan\b", re.I)
_SECRET_SHAPES: Final = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]+){0,2}"  # a JSON web token, whole or cut
    r"|\b(?:rt|bk)_[\w-]{16,}"  # our refresh tokens and API keys
    r"|\$argon2\w*\$[\w$=,+/-]*[\w+/]"  # a password hash
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in a URL
    r"|(?<!\w)(?<!\d\.)\d(?:(?:[ +-]|%20)?\d){12,18}(?!\w|\.\d)"  # a card number
    r"|(?<=\[parameters: ).*"  # what an SQL error says of its values, from here ...
    r"|(?<=DETAIL:).*"  # ... and what PostgreSQL says of them
)


def redact(value: Any) -> Any:
    """The value with everything that looks like a secret replaced, at any depth."""
    if isinstance(value, str):
        return _SECRET_SHAPES.sub(_BLOT, value)
    if isinstance(value, dict):
        return {key: _BLOT if _SECRET_NAMES.search(str(key)) else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


class _Formatter(JsonFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return _access_line(record) if record.name == ACCESS_LOG else super().format(record)

    def process_log_record(self, log_record: dict[str, Any]) -> dict[str, Any]:
        safe: dict[str, Any] = redact(log_record)
        return safe

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the name of the base class
        return clock.rfc3339(clock.now())


def _access_line(record: logging.LogRecord) -> str:
    """The same by hand, because every request costs such a line: no names to look at, one search."""
    fields = {
        "time": clock.rfc3339(clock.now()),
        "level": record.levelname,
        "logger": record.name,
        "message": record.msg,
        **{name: record.__dict__[name] for name in _OF_A_REQUEST},
    }
    return _SECRET_SHAPES.sub(_BLOT, _in_json(fields))


def configure_logging(level: LogLevel) -> None:
    """Sends every logger of the process through the JSON formatter; called once at start."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        _Formatter(
            ["asctime", "levelname", "name", "message"],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    logging.root.handlers = [handler]
    # What no line of ours shows need not be found out for each (see "Optimization" in logging's manual).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # Our access log has the request id, and no query strings.
    logging.getLogger("uvicorn.access").disabled = True
    # SQLAlchemy's echo would print parameters.
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
