"""One bank that is killed again and again under load, and held against its clients' logs each time."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.db.unit_of_work import Database
from tests.conftest import settings_for
from tests.crash.armed import POINTS, UNTOLD
from tests.crash.clients import THREADS, Clients, Findings, gather
from tests.crash.databases import Backend, Postgresql
from tests.crash.proxy import CuttingProxy
from tests.crash.service import Service
from tests.server import bank, environment

AT_RANDOM = "at random"
DATABASE = "the database server"


@dataclass(frozen=True)
class Kill:
    """What is killed, or the point at which the service kills itself."""

    what: str

    @property
    def point(self) -> str | None:
        return self.what if self.what in POINTS else None


def kills(backend: Backend) -> list[Kill]:
    """Every point once, a random moment after each, and then the database server where it can die."""
    names = [name for point in POINTS for name in (point, AT_RANDOM)]
    if backend.can_die:
        names = [name for one in names for name in ((one, DATABASE) if one == AT_RANDOM else (one,))]
    return [Kill(name) for name in names]


class Campaign:
    """A new database of this kind, its service, and clients who begin to work with it."""

    def __init__(self, backend: Backend, folder: Path, seed: int) -> None:
        self._backend = backend
        self._dice = random.Random(seed)
        self._folder = folder
        self.url = backend.create()
        self.service = Service(self.url, folder)
        self.service.start()
        self.clients: Clients = gather(self.service.origin)
        self.restarts: list[int] = []

    def suffer(self, plans: Sequence[Kill]) -> Findings:
        """Kills, restarts, lets the clients ask again, compares; for each plan. Ends at the first fault."""
        self._arm(plans[0])
        found = Findings()
        for plan, following in zip(plans, [*plans[1:], Kill(AT_RANDOM)], strict=True):
            self.clients.work(
                self.service.origin, self._dice.getrandbits(32), lambda plan=plan: self._kill(plan)
            )
            self._come_back(plan, following)
            known = self.clients.settle(self.service.origin)
            assert known or plan.what not in UNTOLD, "the effect of an untold answer is found by its key"
            found = self.compare()
            if found.faults:
                break
        return found

    def suffer_cuts(self, cuts: int) -> CuttingProxy:
        """Works through a network that cuts connections, until it has cut so many answers."""
        with CuttingProxy(self.service.server.port, self._dice.getrandbits(32)) as proxy:
            seed = self._dice.getrandbits(32)
            self.clients.work_patiently(proxy.origin, seed, lambda: proxy.lost_answers >= cuts)
        return proxy

    def compare(self) -> Findings:
        with closing(Database(settings_for(self.url))) as db:
            return self.clients.compare(self.service.origin, db)

    def verify(self) -> str:
        """What the command `bank verify` has to say against the books; nothing when they are right."""
        ran = bank("verify", env=environment(self.url), cwd=self._folder)
        return "" if ran.returncode == 0 else ran.stderr

    def _kill(self, plan: Kill) -> None:
        if plan.point:
            self.service.await_death()
            return
        time.sleep(self._dice.uniform(0.05, 0.6))
        if plan.what == DATABASE:
            assert isinstance(self._backend, Postgresql)
            self._backend.kill()
        else:
            self.service.kill()

    def _come_back(self, plan: Kill, following: Kill) -> None:
        if plan.what != DATABASE:
            self.restarts.append(self._start(following))
            return
        assert isinstance(self._backend, Postgresql)
        self._backend.start()
        # The service has stayed, and works again by itself.
        self.service.await_ready()
        self.clients.settle(self.service.origin)
        self._arm(following)

    def _arm(self, plan: Kill) -> None:
        if plan.point:
            self.service.stop()
            self._start(plan)

    def _start(self, plan: Kill) -> int:
        # Late enough for the open requests to be settled first.
        return self.service.start(plan.point, self._dice.randint(THREADS + 2, 40))


@contextmanager
def campaign(backend: Backend, folder: Path, seed: int) -> Iterator[Campaign]:
    one = Campaign(backend, folder, seed)
    try:
        yield one
    finally:
        one.service.stop()
