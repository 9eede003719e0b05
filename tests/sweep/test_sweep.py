"""Whatever fails in a request, and wherever: a clean answer, no trace or one effect, a retry that is right.

`make sweep` tries each fault at each point; `make test` some of them at each point.
"""

import pytest

from tests.bank import assert_right
from tests.routes import routes
from tests.sweep.conftest import THOROUGH
from tests.sweep.trial import Sweep, Tally
from tests.sweep.writes import WRITES, World, audited_read


def test_every_write_is_swept(stage: tuple[World, Tally]) -> None:
    writing = {route.name for route in routes(stage[0].client.app) if route.method != "GET"}
    assert {" ".join(name.split()[:2]) for name in WRITES} == writing


@pytest.mark.parametrize("name", WRITES)
def test_a_failure_anywhere_in_a_write_leaves_nothing_or_its_one_effect(
    stage: tuple[World, Tally], name: str
) -> None:
    world, tally = stage
    Sweep(world, WRITES[name], tally, thorough=THOROUGH).run(list(WRITES).index(name))
    assert_right(world.client.db)


def test_staff_see_nothing_without_a_trace_whatever_fails(stage: tuple[World, Tally]) -> None:
    world, tally = stage
    paths = [route.path for route in routes(world.client.app) if route.method == "GET"]
    before = tally.routes
    for turn, path in enumerate(paths):
        # Lists leave their trace as single things do.
        if THOROUGH or path.endswith("}"):
            Sweep(world, audited_read(path, world.ada), tally, thorough=THOROUGH).run(turn)
    assert tally.routes - before >= (10 if THOROUGH else 4)
