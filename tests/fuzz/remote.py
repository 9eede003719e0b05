"""A client of a server in another process, which keeps all that it is answered for a search."""

from typing import Any

from app.core.config import Settings
from app.db.unit_of_work import Database
from app.main import create_app
from tests.client import BankClient
from tests.fuzz.wire import Answer, Raw
from tests.server import Server

ISSUING = ("/v1/auth/login", "/v1/auth/token", "/v1/auth/refresh")


class Remote(BankClient):
    """A client of a server in another process; keeps what was answered, and the tokens apart."""

    def __init__(self, server: Server, settings: Settings) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{server.port}", timeout=60, trust_env=False)
        self.server = server
        # For OpenAPI, and for making staff; it answers nothing.
        self.app = create_app(settings)
        self.tokens: set[str] = set()
        self.answers: list[bytes] = []
        self.refusals: list[bytes] = []
        self.event_hooks = {"response": [self._keep]}

    @property
    def db(self) -> Database:
        db: Database = self.app.state.bank.db
        return db

    def _keep(self, response: Any) -> None:
        response.read()
        self.keep(response.request.url.path, response.status_code, repr(response.headers), response.content)

    def keep(self, path: str, status: int, headers: str, body: bytes) -> None:
        if status == 200 and path in ISSUING:
            parts = body.decode().split('"')
            self.tokens |= {parts[parts.index(name) + 2] for name in ("access_token", "refresh_token")}
        else:
            (self.answers if status < 400 else self.refusals).append(headers.encode() + b"\n" + body)

    def send_and_look(self, request: Raw) -> tuple[Answer, None]:
        """As a `Wire`, over a connection of its own."""
        target = request.path + (b"?" + request.query if request.query else b"")
        headers = {"host": b"bank.test", "connection": b"close"} | request.headers
        headers["content-length"] = str(len(request.body)).encode()
        lines = [name.encode() + b": " + value for name, value in headers.items()]
        head = b"\r\n".join([f"{request.method} ".encode() + target + b" HTTP/1.1", *lines])
        answered, _, body = self.server.send_raw(head + b"\r\n\r\n" + request.body).partition(b"\r\n\r\n")
        status = int(answered.split()[1])
        self.keep(request.path.decode(), status, answered.decode("latin-1"), body)
        return Answer(status, {}, body), None
