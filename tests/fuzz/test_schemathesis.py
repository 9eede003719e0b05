"""schemathesis with all its checks, as a customer, as a teller and as nobody, against a real server.

The same requests each time; `make fuzz` (FUZZ=long) sends more of them, others with each SEED.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

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
CALLERS = ("a customer", "a teller", "nobody")


def login(email: str) -> dict[str, Any]:
    """How somebody gets a token, in the words of Web Fuzzing Commons."""
    sent = {"usernameField": "email", "passwordField": "password", "username": email, "password": PASSWORD}
    told = {"extractFrom": "body", "extractSelector": "/access_token"}
    used = {"sendIn": "header", "sendName": "Authorization", "sendTemplate": "Bearer {token}"}
    request = {"endpoint": "/v1/auth/login", "verb": "POST", "contentType": "application/json"}
    return {"loginEndpointAuth": request | {"payloadUserPwd": sent, "token": told | used}}


def write_callers(settings: Settings, folder: Path) -> None:
    """Makes the people whom the configuration names, and the file that says how they log in."""
    with running(settings) as client:
        for name in ("ada", "bob"):
            customer(client, name, money=10_000)
        teller = staff(client, Role.TELLER).get("/v1/auth/me").json()["email"]
    people = {
        "a customer": login("ada@example.com"),
        "another customer": login("bob@example.com"),
        "a teller": login(teller),
        "nobody": {"fixedHeaders": [{"name": "Accept", "value": "application/json"}]},
    }
    file = {"auth": [{"name": name, **entry} for name, entry in people.items()]}
    (folder / "callers.json").write_text(json.dumps(file))


def schemathesis(url: str, caller: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One run over all routes, in a process of its own."""
    program = [str(BIN / "st"), "--no-color", "--config-file", str(CONFIGURATION)]
    # Neither its warnings nor its coverage are ours.
    left_out = ("PYTHONWARNINGS", "COVERAGE_PROCESS_START")
    env = {name: value for name, value in environment().items() if name not in left_out}
    return subprocess.run(
        [*program, "run", f"{url}/openapi.json", "--checks", "all", *EXAMPLES],
        env=env | {"CALLER": caller},
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=1800,
        check=False,
    )


def generated(told: str) -> tuple[int, int]:
    """How many requests it made, and how many different failures it saw."""
    made, failed = re.search(r"(\d+) generated", told), re.search(r"(\d+) unique failure", told)
    return int(made[1]) if made else 0, int(failed[1]) if failed else 0


@pytest.mark.parametrize("caller", CALLERS)
def test_schemathesis_finds_nothing(
    caller: str, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_callers(settings, tmp_path)
    backend = settings.url.get_backend_name()
    variables = {"LOGIN_ATTEMPTS": "1000", "ACCESS_TOKEN_MINUTES": "60"}
    with serving(settings.database_url, tmp_path, **variables) as server:
        done = schemathesis(f"http://127.0.0.1:{server.port}", caller, tmp_path)
        requests, differences = generated(done.stdout)
        counts = {"generated_requests": requests, "differences": differences}
        record("bad inputs", database=backend, seed=seed(), **counts)
        assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-2_000:]}"
        with server.client() as client:
            assert client.get("/v1/health").status_code == 200
    assert requests > 800
    assert '"ERROR"' not in server.log
    verified = bank("verify", env=environment(settings.database_url), cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    with capsys.disabled():
        print(f"\n{backend}: {requests} requests of schemathesis as {caller}")
