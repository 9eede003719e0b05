"""The image and its compose file: read as what they are, and with Docker also built and started.

`make image` builds, runs and checks the same image where there is no Docker.
"""

import http.server
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import DEVNULL
from typing import Any

import httpx
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from app.core.config import Settings
from tests.server import BIN, ROOT

HEALTH = "http://127.0.0.1:8000/v1/health"
CHECK = ["python", "healthcheck.py", HEALTH]
PERSON = {"email": "ada@example.com", "password": "seven quiet harbours"}


def docker_is_there() -> bool:
    """Whether an engine answers and its command knows compose; asked only when the tests are wanted."""
    if os.environ.get("RUN_DOCKER_TESTS") != "1" or shutil.which("docker") is None:
        return False
    asked = (["docker", "version"], ["docker", "compose", "version"])
    return all(subprocess.call(words, stdout=DEVNULL, stderr=DEVNULL, timeout=60) == 0 for words in asked)


needs_docker = pytest.mark.skipif(
    not docker_is_there(), reason="Set RUN_DOCKER_TESTS=1 and install Docker to run"
)


def stages() -> dict[str, list[dict[str, Any]]]:
    """The instructions of each stage of the Dockerfile, by the name that it has after AS."""
    with (ROOT / "Dockerfile").open("rb") as file:
        instructions = DockerfileParser(fileobj=file).structure
    found: dict[str, list[dict[str, Any]]] = {"": []}
    for instruction in instructions:
        if instruction["instruction"] == "FROM":
            found[instruction["value"].split(" AS ")[1]] = []
        if instruction["instruction"] != "COMMENT":
            found[list(found)[-1]].append(instruction)
    return found


def values(stage: list[dict[str, Any]], instruction: str) -> list[str]:
    return [line["value"] for line in stage if line["instruction"] == instruction]


def compose() -> dict[str, Any]:
    """The compose file, with its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_dockerfile_is_multistage() -> None:
    before, builder, runtime = (stages()[name] for name in ("", "builder", "runtime"))
    assert values(before, "ARG") == ["BASE_IMAGE=python:3.12-slim"]
    assert [values(stage, "FROM")[0].split(" AS ")[0] for stage in (builder, runtime)] == 2 * [
        "${BASE_IMAGE}"
    ]
    assert any("--require-hashes" in run and "requirements.txt" in run for run in values(builder, "RUN"))
    # What the runtime has, it has from the builder: nothing is installed there, nothing copied from outside.
    assert all(copy.startswith("--from=builder ") for copy in values(runtime, "COPY"))
    assert not any("pip" in run or "apt" in run for run in values(runtime, "RUN"))
    assert values(runtime, "ADD") == []


def test_the_image_runs_as_a_user_of_its_own_and_says_how_it_is_served() -> None:
    runtime = stages()["runtime"]
    assert values(runtime, "WORKDIR")[-1] == "/app"
    assert values(runtime, "USER") == ["appuser"]
    assert any("useradd --uid 10001" in run for run in values(runtime, "RUN"))
    assert any("--mode 0700 --owner appuser" in run and "/app/data" in run for run in values(runtime, "RUN"))
    assert values(runtime, "EXPOSE") == ["8000"]
    assert values(runtime, "STOPSIGNAL") == ["SIGTERM"]
    (check,) = values(runtime, "HEALTHCHECK")
    assert json.loads(check.split("CMD ")[1]) == CHECK
    (command,) = values(runtime, "CMD")
    shell, option, script = json.loads(command)
    assert (shell, option) == ("sh", "-c")
    # `&&`: nothing is served after a failed migration. `exec`: SIGTERM reaches the server.
    expected = "bank migrate && exec bank serve --host 0.0.0.0 --port 8000"
    assert shlex.split(script) == shlex.split(expected)


def test_every_file_that_the_image_takes_is_there_and_none_is_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    taken = [word for copy in values(stages()["builder"], "COPY") for word in copy.split()[:-1]]
    assert {"requirements.txt", "alembic.ini", "alembic", "app"} <= set(taken)
    assert [path for path in taken if not (ROOT / path).exists() or path in ignored] == []


def test_what_has_no_place_in_an_image_is_not_even_sent_to_the_engine() -> None:
    versions, environments, caches = {".git", ".github"}, {".venv"}, {"**/__pycache__", ".pytest_cache"}
    private = {".coverage", "data", "**/*.db", ".env", ".env.*", "secrets", "tests"}
    ignored = set((ROOT / ".dockerignore").read_text().splitlines())
    assert versions | environments | caches | private <= ignored


def test_hadolint_has_no_objection() -> None:
    linted = subprocess.run(
        [str(BIN / "hadolint"), "--no-color", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_compose_has_healthcheck_and_env_config() -> None:
    api = compose()["services"]["api"]
    assert api["image"] == "banking-service:local"
    assert api["ports"] == ["8000:8000"]
    assert api["volumes"] == ["banking_data:/app/data"]
    assert "banking_data" in compose()["volumes"]
    assert api["stop_grace_period"] == "20s"
    assert api["healthcheck"] == {
        "test": ["CMD", *CHECK],
        "interval": "10s",
        "timeout": "3s",
        "retries": 5,
        "start_period": "10s",
    }
    assert "profiles" not in api
    assert api["environment"] == {
        "APP_ENV": "${APP_ENV:-dev}",
        "DATABASE_URL": "sqlite:///./data/banking.db",
        "LOG_LEVEL": "${LOG_LEVEL:-INFO}",
        "JWT_SECRET": "${JWT_SECRET:-}",
        "CARD_KEY": "${CARD_KEY:-}",
        "CORS_ORIGINS": "${CORS_ORIGINS:-}",
        "ALLOWED_HOSTS": "${ALLOWED_HOSTS:-}",
        "TRUSTED_PROXIES": "${TRUSTED_PROXIES:-}",
    }


def test_compose_can_serve_from_postgresql_with_several_workers() -> None:
    services = compose()["services"]
    assert {name for name, service in services.items() if service.get("profiles") == ["postgres"]} == {
        "postgres",
        "postgres-migrate",
        "postgres-api",
    }
    assert services["postgres-migrate"]["command"] == ["bank", "migrate"]
    workers = services["postgres-api"]["command"]
    assert workers[:2] == ["bank", "serve"]
    assert int(workers[workers.index("--workers") + 1]) > 1
    assert services["postgres-api"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "postgres-migrate": {"condition": "service_completed_successfully"},
    }
    assert "pg_isready" in services["postgres"]["healthcheck"]["test"]
    # Whoever starts it chooses the password; there is none to forget about.
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD:-}"
    assert services["postgres-api"]["environment"]["PGPASSWORD"] == "${POSTGRES_PASSWORD:-}"


def test_compose_sets_only_what_the_service_reads() -> None:
    known = {name.upper() for name in Settings.model_fields} | {"PGPASSWORD"}
    for name in ("api", "postgres-migrate", "postgres-api"):
        assert set(compose()["services"][name]["environment"]) <= known


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers 200 to the host bank.example.com and 400 to others."""

    def do_GET(self) -> None:
        self.send_response(200 if self.headers["Host"] == "bank.example.com" else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def answering() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/health"
        finally:
            server.shutdown()
            thread.join()


def health_check(url: str, hosts: str) -> int:
    environment = {"ALLOWED_HOSTS": hosts, "http_proxy": "http://127.0.0.1:1"}
    script = str(ROOT / "scripts" / "healthcheck.py")
    checked = subprocess.run(
        [sys.executable, script, url], env=environment, capture_output=True, timeout=60, check=False
    )
    return checked.returncode


@pytest.mark.parametrize(("hosts", "code"), [("bank.example.com, other.example.com", 0), ("", 1)])
def test_the_health_check_asks_for_a_host_that_is_allowed(hosts: str, code: int) -> None:
    with answering() as url:
        assert health_check(url, hosts) == code


def test_the_health_check_fails_when_nothing_listens() -> None:
    assert health_check("http://127.0.0.1:1/v1/health", "") == 1


def docker(*arguments: str, **environment: str) -> str:
    """Runs a docker command to its end; its output is shown when it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=dict(os.environ) | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@needs_docker
def test_container_builds() -> None:
    docker("build", "--tag", "banking-service:test", ".")
    try:
        said = docker("run", "--rm", "banking-service:test", "sh", "-c", "id -u && ls -A /app/data")
        assert said.split() == ["10001"]
    finally:
        docker("image", "rm", "banking-service:test")


@needs_docker
def test_compose_starts_health_endpoint() -> None:
    project = ("compose", "--project-name", f"banking-test-{uuid.uuid4().hex[:8]}")
    # A developer's .env must not decide what is tested.
    settings = {
        "APP_ENV": "dev",
        "JWT_SECRET": "",
        "CARD_KEY": "",
        "ALLOWED_HOSTS": "",
        "TRUSTED_PROXIES": "",
    }
    try:
        docker(*project, "up", "-d", "--build", "--wait", "--wait-timeout", "30", **settings)
        with httpx.Client(base_url="http://127.0.0.1:8000", timeout=30, trust_env=False) as client:
            assert client.get("/v1/health").json()["status"] == "ok"
            assert client.post("/v1/auth/signup", json=PERSON).status_code == 201
            docker(*project, "restart", "api", **settings)
            docker(*project, "up", "-d", "--wait", "--wait-timeout", "30", **settings)
            assert client.post("/v1/auth/login", json=PERSON).status_code == 200
    finally:
        docker(*project, "down", "-v", **settings)
