"""The good request of a route, with a value put somewhere."""

import itertools
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from tests.access import NO_TOKEN, NOBODYS, REQUESTS, WALK_INS, World
from tests.fuzz.judge import FORM, TELLER, state
from tests.fuzz.places import BODY, HEADER, MERGE, METHOD, PATH, QUERY, Place
from tests.fuzz.values import ACCEPTED, Value
from tests.fuzz.wire import Answer, Raw, Wire
from tests.routes import Route

_numbers = itertools.count()


class Sender:
    """Sends one route's request as one actor, with a value put somewhere.

    The good request is made again after each success that is not a GET: it may have used something up.
    """

    def __init__(self, world: World, wire: Wire, actor: str, route: Route) -> None:
        self.world, self.wire, self.actor, self.route = world, wire, actor, route
        self.asked = REQUESTS[route.name]
        self.renew()

    def renew(self) -> None:
        self.wanted = self.asked.wanted(self.world, self.whose)
        self.person = self.world.caller(self.actor, fresh=self.asked.fresh)
        self.state = self.world.client.db.run_read(state)

    @property
    def whose(self) -> str:
        if self.actor == TELLER and WALK_INS in self.asked.whose:
            return WALK_INS
        return NOBODYS if NOBODYS in self.asked.whose else self.asked.whose[0]

    def good(self) -> Raw:
        path = self.route.at(self.wanted.ids).encode()
        headers = {}
        if self.actor != NO_TOKEN:
            headers["authorization"] = f"Bearer {self.person.access_token}".encode()
        if "Idempotency-Key" in self.route.parameters:
            headers["idempotency-key"] = f"key {next(_numbers)}".encode()
        if self.route.media_type:
            headers["content-type"] = self.route.media_type.encode()
        query = urlencode(self.wanted.query).encode()
        return Raw(self.route.method, path, query, headers, self._body(self.wanted.body))

    def _body(self, content: dict[str, Any] | None, field: str = "", token: bytes = b"") -> bytes:
        """The body, as the route's media type, with this token in one field."""
        members = {name: json.dumps(one).encode() for name, one in (content or {}).items()}
        if field:
            members[field] = token
        if content is None and not field:
            return b""
        if self.route.media_type == FORM:
            plain = {name: str(one) for name, one in (content or {}).items() if name != field}
            return urlencode(plain).encode() + (b"&" + field.encode() + b"=" + token if field else b"")
        pairs = [json.dumps(name).encode() + b":" + one for name, one in members.items()]
        return b"{" + b",".join(pairs) + b"}"

    def with_value(self, place: Place, value: Value) -> Raw | None:
        """The good request with the value at the place; None where it cannot be written there."""
        good = self.good()
        if place.where == PATH:
            ids = self.wanted.ids | {place.name: value.in_url.decode()}
            return replace(good, path=self.route.at(ids).encode())
        if place.where == QUERY:
            return good.with_query(place.name, value.in_url)
        if place.where == HEADER:
            # A key is used once.
            once = f" {self.actor} {self.route.name}".encode() if value.verdict == ACCEPTED else b""
            return good.with_header(place.name, value.in_header + (once if place.kind == "key" else b""))
        if place.where == METHOD:
            return replace(good, method=value.raw) if value.fits == "method" else None
        if place.where == BODY:
            headers = {"content-type": (self.route.media_type or "application/json").encode()}
            return replace(good, headers=good.headers | headers, body=value.raw.encode())
        return self._with_field(good, place, value)

    def _with_field(self, good: Raw, place: Place, value: Value) -> Raw | None:
        content = dict(self.wanted.body or {})
        headers = {"content-type": (self.route.media_type or "application/json").encode()}
        headers = good.headers | headers
        if place.where == MERGE:
            if not isinstance(value.content, dict):
                return None
            return replace(good, headers=headers, body=self._body(content | value.content))
        token = value.in_url if self.route.media_type == FORM else value.token
        outer, _, name = place.name.rpartition("[0].")
        members = dict(content[outer][0]) if outer else content
        if name == "destination_account_id":
            del members["destination_account_number"]
        if outer:
            name, token = outer, b"[" + self._body(members, name, token) + b"]"
        return replace(good, headers=headers, body=self._body(content, name, token))

    def send(self, request: Raw) -> Answer:
        """Sends it; a refusal and a GET have written nothing."""
        answer, after = self.wire.send_and_look(request)
        if after is None:
            self.renew()
        else:
            assert after == self.state, f"{self.route.name} wrote and answered {answer.status}: {request}"
        return answer
