"""A PostgreSQL that freezes: a process between the service and the server, which is really stopped.

To the service it is what a frozen server is: the kernel takes connections and bytes, nobody answers.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.engine import make_url

from app.core.config import Settings

_RELAY = """
import asyncio, sys

async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass
    writer.close()

async def meet(reader, writer):
    there, back = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(copy(reader, back), copy(there, writer))

async def main():
    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@dataclass
class Relay:
    """`url` leads to the database through a process that can be stopped and continued."""

    process: "subprocess.Popen[str]"
    url: str

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def relayed(settings: Settings) -> Iterator[Relay]:
    """A way to the test's database that can freeze; PostgreSQL only."""
    target = settings.url
    command = [sys.executable, "-c", _RELAY, f"{target.query['host']}/.s.PGSQL.{target.port or 5432}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        url = make_url(settings.database_url).set(host="127.0.0.1", port=port, query={})
        try:
            yield Relay(process, url.render_as_string(hide_password=False))
        finally:
            process.kill()
