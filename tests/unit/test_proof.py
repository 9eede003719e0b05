"""What a round of random histories is told as: a difference, or an outage that says nothing of the rules."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, rule

from app.core.config import Settings
from tests import scratch
from tests.client import running
from tests.model.draws import PEOPLE
from tests.model.proof import Outage, Proof
from tests.model.service import Service
from tests.model.words import Answer, Fund, Open


class Round:
    """One round of histories in which every step raises `error`, or none."""

    def __init__(self, error: BaseException | None, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RELIABILITY_ROW", str(path))
        monkeypatch.setenv("COMMANDS", "1")
        self._path = path
        self.tries = 0
        self.proof = Proof("sqlite")
        self.proof.is_short = False
        outer = self

        class History(RuleBasedStateMachine):
            @rule()
            def step(self) -> None:
                outer.tries += 1
                outer.proof.count("step", Answer(200))
                if error is not None:
                    raise error

        self.history = History

    def told(self) -> dict[str, Any]:
        [line] = self._path.read_text().splitlines()
        return {name: json.loads(line)[name] for name in ("differences", "not_judged")}


def test_a_round_in_which_all_answers_agree_has_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Round(None, tmp_path / "rows", monkeypatch)
    one.proof.play(one.history)
    assert one.told() == {"differences": 0, "not_judged": 0}


def test_a_wrong_answer_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Round(AssertionError("409 is not 201"), tmp_path / "rows", monkeypatch)
    with pytest.raises(AssertionError, match="409 is not 201"):
        one.proof.play(one.history)
    assert one.told() == {"differences": 1, "not_judged": 0}


@pytest.mark.parametrize("error", [Outage("503 overloaded"), KeyboardInterrupt()])
def test_an_outage_or_an_interruption_fails_at_once_and_is_no_difference(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Round(error, tmp_path / "rows", monkeypatch)
    with pytest.raises(type(error)):
        one.proof.play(one.history)
    assert (one.told(), one.tries) == ({"differences": 0, "not_judged": 1}, 1)


def test_what_the_service_cannot_do_now_is_an_outage_and_no_answer(settings: Settings) -> None:
    impatient = settings.model_copy(update={"lock_timeout_seconds": 0.2})
    with running(impatient) as client:
        service = Service(client, PEOPLE)
        service.ask("ada", Open("EUR"), None, ["account 0"])
        deposit = Fund("account 0", "deposit", 5, "EUR")
        with scratch.other_writer(settings, "LOCK TABLE accounts IN EXCLUSIVE MODE"):
            with pytest.raises(Outage, match="503 lock_timeout"):
                service.ask("teller", deposit, "k", ["transfer 0"])
            with pytest.raises(Outage, match="LockTimeout"):
                service.set("account 0", status="frozen")
        assert service.ask("teller", deposit, "k", ["transfer 0"]).status == 201


def test_a_database_that_is_gone_is_an_outage(settings: Settings) -> None:
    with running(settings) as client:
        service = Service(client, PEOPLE)
        service.ask("ada", Open("EUR"), None, ["account 0"])
        with scratch.missing(settings):
            for look in (service.books, service.findings):
                with pytest.raises(Outage, match="DatabaseUnavailable"):
                    look()
            with pytest.raises(Outage, match="503 database_unavailable"):
                service.look_at_account("ada", "account 0")
            with pytest.raises(Outage, match="503 database_unavailable"):
                Service(client, PEOPLE)
