"""What a value must be answered at a place, and what no answer may be."""

import json
from collections import Counter
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.access import NO_TOKEN, OWNER
from tests.architecture.documents import table
from tests.fuzz.places import BODY, FIELD, QUERY, Place, required
from tests.fuzz.values import ACCEPTED, EMPTY, JSON, LIMIT, Value
from tests.fuzz.wire import Answer
from tests.routes import Route

TELLER = "Teller"
# Whose requests these are, by their column of docs/access.md.
ACTORS = (OWNER, TELLER, NO_TOKEN)
# Fields that customers may not set, whatever they write there.
RESERVED = {
    ("PATCH /v1/account-holders/{holder_id}", "full_name"),
    ("PATCH /v1/account-holders/{holder_id}", "date_of_birth"),
    ("POST /v1/accounts", "account_holder_id"),
    ("POST /v1/transactions", "value_date"),
}
# Dates of these kinds have further rules: only what is no date at all is refused for certain.
STRICT_DATES = ("past", "birthday", "value_day")
FORM = "application/x-www-form-urlencoded"

_STATE = text(
    "SELECT "
    + ", ".join(
        f"(SELECT count(*) FROM {table})"
        for table in (
            "users",
            "account_holders",
            "accounts",
            "transfers",
            "entries",
            "cards",
            "authorizations",
            "hold_events",
            "idempotency_keys",
        )
    )
    + ", (SELECT sum(version) FROM account_holders), (SELECT sum(version) FROM accounts)"
    ", (SELECT sum(version) FROM cards)"
    ", (SELECT count(ended_at) FROM sessions), (SELECT count(*) FROM sessions)"
    ", (SELECT count(used_at) FROM refresh_tokens), (SELECT count(*) FROM refresh_tokens)"
)


def state(session: Session) -> tuple[Any, ...]:
    """How much there is of everything that a request can write; a refusal may be audited."""
    return tuple(session.execute(_STATE).one())


def success(route: Route) -> int:
    return next(int(status) for status in route.operation["responses"] if status < "300")


class Judge:
    """Gives the verdict of the file where a value fits, and the rules that hold everywhere."""

    def __init__(self, app: Any, all_routes: list[Route]) -> None:
        self.app = app
        self.methods: dict[str, set[str]] = {}
        for route in all_routes:
            self.methods.setdefault(route.path, set()).add(route.method)
        rows = table("docs/access.md", "Route")
        allowed = {(actor, row["Route"]) for row in rows for actor in ACTORS if row[actor][0] == "2"}
        refused = {(actor, row["Route"]) for row in rows for actor in ACTORS if row[actor] == "403"}
        self.forbidden = refused - allowed
        self.seen: Counter[int] = Counter()
        self.undocumented = 0

    def verdict(self, actor: str, route: Route, place: Place, value: Value) -> set[int] | None:
        """The statuses that are right; None where the file says nothing."""
        if not _fits(place, value):
            return None
        if place.kind in ("method", "content_type", "authorization"):
            return self._told_by_the_protocol(route, place, value)
        status = self._status(route, place, value)
        if status is not None and route.operation.get("security") and actor == NO_TOKEN:
            status = 401
        elif status is not None and not (status == 400 and place.where in (FIELD, BODY)):
            # What cannot be read is told before these.
            if (actor, route.name) in self.forbidden:
                status = 403
            elif (route.name, place.name) in RESERVED and actor == OWNER and value.raw != "null":
                status = 422
        if status == 201 and place.kind == "email":
            # The second who signs up with an address finds it taken.
            return {201, 409}
        return None if status is None else {status}

    def _told_by_the_protocol(self, route: Route, place: Place, value: Value) -> set[int] | None:
        """The same for everybody, token or not."""
        assert isinstance(value.verdict, int)
        known = value.raw in self.methods[route.path] if place.kind == "method" else False
        if place.kind == "content_type":
            known = route.media_type in (None, value.raw)
        return None if known else {value.verdict}

    def _status(self, route: Route, place: Place, value: Value) -> int | None:
        verdict = value.verdict
        if place.where == BODY and route.media_type == FORM:
            return None
        if place.where == QUERY and value.form == JSON and not isinstance(value.content, str):
            return None
        if verdict == LIMIT:
            verdict = 422 if place.longest and len(value.content) > place.longest else ACCEPTED
        elif verdict == EMPTY:
            nothing = not value.raw and route.operation.get("requestBody", {}).get("required", False)
            verdict = 422 if nothing or required(route, self.app) else ACCEPTED
        elif value.group in ("text_type", "amount_type") and value.raw == "null" and place.nullable:
            verdict = ACCEPTED
        if verdict == ACCEPTED:
            return success(route)
        assert isinstance(verdict, int)
        if place.where == QUERY and verdict == 400:
            # Bytes that are no character arrive as U+FFFD, which is one.
            return None if value.group == "text_surrogate" else 422
        return verdict

    @property
    def counts(self) -> dict[str, int]:
        """For the report."""
        refused = sum(count for status, count in self.seen.items() if 400 <= status < 500)
        errors = sum(count for status, count in self.seen.items() if status >= 500)
        return {
            "bad_inputs": self.seen.total(),
            "refused": refused,
            "server_errors": errors,
            "undocumented": self.undocumented,
        }

    def count(self, answer: Answer, route: Route, place: Place) -> Answer:
        """Takes the answer down, whatever it is."""
        self.seen[answer.status] += 1
        no_method = place.kind == "method" and answer.status == 405
        self.undocumented += not no_method and str(answer.status) not in route.operation["responses"]
        return answer

    def check(self, answer: Answer, route: Route, place: Place, value: Value) -> None:
        """The rules for every answer, whatever was sent."""
        told = f"{route.name}, {place.name}: {value} -> {answer.status} {answer.body[:300]!r}"
        assert answer.status < 500, told
        assert answer.status != 429, told
        if place.kind == "method" and answer.status == 405:
            assert set(answer.headers["allow"].split(", ")) == self.methods[route.path], told
        else:
            assert str(answer.status) in route.operation["responses"], told
        if answer.status < 400:
            return
        assert answer.headers["content-type"] == "application/json", told
        assert set(json.loads(answer.body)) == {"error"}, told
        error = answer.error
        assert set(error) == {"code", "message", "details", "request_id"}, told
        assert error["request_id"] == answer.headers["x-request-id"], told
        # An unknown field is named, if its name is one that a developer would choose.
        names_fields = place.where == BODY and route.media_type == FORM
        if place.kind not in ("method", "unknown_field") and not names_fields:
            assert not _repeated(answer, value), told


def _fits(place: Place, value: Value) -> bool:
    if value.fits == "date" and place.kind in STRICT_DATES:
        return value.verdict == 422
    return value.fits == place.kind


def _repeated(answer: Answer, value: Value) -> list[str]:
    """Which words of the value are in the answer; those that any sentence may have do not count."""
    error = {name: part for name, part in answer.error.items() if name != "request_id"}
    headers = [part for name, part in answer.headers.items() if name not in ("x-request-id", "allow")]
    told = "\n".join([json.dumps(error, ensure_ascii=False), *headers])
    return [word for word in value.words if len(word) > 2 and word not in ("true", "false") and word in told]
