"""The README's first commands do what it says, as pasted, against a real server."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.documents import ROOT, read, shell_block

# What the commands use of curl, for machines without it: -sS, -H and -d.
STAND_IN = f"""#!{sys.executable}
import argparse, sys, urllib.request
options = argparse.ArgumentParser()
options.add_argument("-sS", action="store_true")
options.add_argument("-H", action="append", default=[])
options.add_argument("-d")
options.add_argument("url")
given = options.parse_args()
headers = dict(line.split(": ", 1) for line in given.H)
data = given.d.encode() if given.d else None
with urllib.request.urlopen(urllib.request.Request(given.url, data, headers)) as answer:
    sys.stdout.write(answer.read().decode())
"""
BIN = Path(sys.executable).parent


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`bank serve` on a free port and an empty folder, as `make run` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "APP_ENV": "test",
        "DATABASE_URL": f"sqlite:///{tmp_path}/data/bank.db",
    }
    bank = str(BIN / "bank")
    subprocess.run([bank, "migrate"], env=environment, cwd=tmp_path, check=True, timeout=60)
    serve = [bank, "serve", "--port", str(port)]
    with subprocess.Popen(serve, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{url}/v1/health/ready").close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not become ready")


def commands(tmp_path: Path) -> list[str]:
    """Search paths: one with a stand-in for curl and, where it is installed, one with the real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "curl").write_text(STAND_IN)
    (folder / "curl").chmod(0o755)
    usual = f"{BIN}:{os.environ['PATH']}"
    return [f"{folder}:{usual}"] + ([usual] if shutil.which("curl") else [])


def test_the_first_commands_go_from_nothing_to_a_transfer(server: str, tmp_path: Path) -> None:
    block = shell_block("README.md")
    assert block.count("127.0.0.1:8000") == 1
    for number, path in enumerate(commands(tmp_path)):
        email = f"ada{number}@example.com"
        script = block.replace("127.0.0.1:8000", server).replace("ada@example.com", email)
        ran = subprocess.run(
            ["sh", "-eu", "-c", script],
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        user, holder, deposit, transfer = documents(ran.stdout)
        assert user["email"] == email
        assert holder["user_id"] == user["id"]
        assert deposit["balance_after"] == 10000
        assert transfer["amount"] == 2500
        assert transfer["source_balances"] == {"balance": 7500, "held": 0, "available": 7500}


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON documents that stand one behind the other."""
    found = []
    while text := text.strip():
        document, end = json.JSONDecoder().raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def test_the_readme_names_both_commands_and_make_knows_them() -> None:
    makefile = read("Makefile")
    for command in ("run", "test", "demo", "setup", "help", "lint", "format"):
        assert f"\n{command}: " in makefile
    assert "make run" in read("README.md")
    assert "make test" in read("README.md")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
