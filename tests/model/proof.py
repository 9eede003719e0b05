"""How long histories are played, with which seed, and what is reported of it."""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.model.words import Answer
from tests.record import record

ALWAYS: Final = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
# Of `make test`: the same histories each time. To shrink one takes minutes; `make prove` does.
SHORT: Final = settings(
    ALWAYS,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    max_examples=16,
    stateful_step_count=60,
)
# Of `make prove`, in rounds. What failed is kept in `.hypothesis` and played first the next time.
PROVE: Final = "prove"
settings.register_profile(
    PROVE,
    ALWAYS,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
    max_examples=50,
    stateful_step_count=50,
)


class Outage(BaseException):
    """The service could not answer in time, so there was nothing to compare.

    Not an Exception: Hypothesis would play the history again, and shrink it.
    """


class Proof:
    """Plays histories on one database and counts the commands that were compared."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.is_short = settings.get_current_profile_name() != PROVE
        self.seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
        self.met: Counter[tuple[str, str]] = Counter()

    def count(self, kind: str, answer: Answer) -> None:
        """A command that was answered as the model says."""
        self.met[kind, answer.code or ("replayed" if answer.replayed else "done")] += 1

    @property
    def commands(self) -> int:
        return self.met.total()

    def play(self, machine: Callable[[], RuleBasedStateMachine]) -> None:
        """A few histories or, with `make prove`, until so many COMMANDS have been compared."""
        if self.is_short:
            run_state_machine_as_test(machine, settings=SHORT)
            return
        wanted = int(os.environ.get("COMMANDS") or 50_000)
        rounds = 0
        while self.commands < wanted:
            self._round(hypothesis.seed(self.seed + rounds)(machine), self.seed + rounds)
            rounds += 1

    def _round(self, machine: Callable[[], RuleBasedStateMachine], seed: int) -> None:
        before = self.commands
        # Until the round has ended: an outage or an interruption is no difference.
        found = {"differences": 0, "not_judged": 1}
        try:
            run_state_machine_as_test(machine, settings=settings.get_profile(PROVE))
            found = {"differences": 0, "not_judged": 0}
        except Exception:
            found = {"differences": 1, "not_judged": 0}
            raise
        finally:
            # After each round, so that a run that is stopped has not been for nothing.
            counts = {"commands": self.commands - before, **found}
            record("model", **counts, seed=seed, command="make prove", database=self.database)

    def __str__(self) -> str:
        return f"{self.database}: {self.commands:,} commands compared with the model, SEED={self.seed}"
