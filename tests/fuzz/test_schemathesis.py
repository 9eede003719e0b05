"""schemathesis with all its checks, as a customer, as a teller and as nobody, against a real server.

The same requests each time; `make fuzz` (FUZZ=long) sends more of them, others with each SEED.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from app.core.caller import Role
from app.core.config import Settings
from tests.bank import customer, staff
from tests.client import PASSWORD, running
from tests.record import record, seed
from tests.server import BIN, bank, environment, serving

IS_LONG = os.environ.get("FUZZ") == "long"
EXAMPLES = ("-n", "40", "--seed", str(seed())) if IS_LONG else ("-n", "1", "--generation-deterministic")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def people(settings: Settings) -> dict[str, dict[str, str]]:
    """What the hooks need for each caller: a token, and a second user's login."""
    with running(settings) as client:
        ada = customer(client, "ada", money=10_000).person
        customer(client, "bob")
        tellers = [staff(client, Role.TELLER) for _ in range(2)]
        emails = [one.get("/v1/auth/me").json()["email"] for one in tellers]
    return {
        "a customer": {"TOKEN": ada.access_token, "SPARE_EMAIL": "bob@example.com"},
        "a teller": {"TOKEN": tellers[0].access_token, "SPARE_EMAIL": emails[1]},
        "nobody": {},
    }


def schemathesis(url: str, caller: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """One run over all routes, in a process of its own."""
    program = [str(BIN / "st"), "--no-color", "--config-file", str(CONFIGURATION)]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "SPARE_PASSWORD": PASSWORD} if caller else {}
    # Neither its warnings nor its coverage are ours.
    left_out = ("PYTHONWARNINGS", "COVERAGE_PROCESS_START")
    env = {name: value for name, value in environment().items() if name not in left_out}
    return subprocess.run(
        [*program, "run", f"{url}/openapi.json", "--checks", "all", *EXAMPLES],
        env=env | hooks | caller,
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=1800,
        check=False,
    )


def test_schemathesis_finds_nothing(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callers, backend, requests = people(settings), settings.url.get_backend_name(), 0
    variables = {"LOGIN_ATTEMPTS": "1000", "ACCESS_TOKEN_MINUTES": "60"}
    with serving(settings.database_url, tmp_path, **variables) as server:
        for name, caller in callers.items():
            done = schemathesis(f"http://127.0.0.1:{server.port}", caller, tmp_path)
            assert done.returncode == 0, f"as {name}:\n{done.stdout[-20_000:]}\n{done.stderr[-2_000:]}"
            found = re.search(r"(\d+) generated", done.stdout)
            assert found, done.stdout
            requests += int(found[1])
            with capsys.disabled():
                print(f"\n{backend}: {found[1]} requests of schemathesis as {name}")
        with server.client() as client:
            assert client.get("/v1/health").status_code == 200
    assert '"ERROR"' not in server.log
    verified = bank("verify", env=environment(settings.database_url), cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    record("bad inputs", requests=requests, server_errors=0, undocumented=0, database=backend, seed=seed())
