"""The `bank` command, as a process."""

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.client import PASSWORD, ApiClient, running
from tests.conftest import settings_for
from tests.server import BIN, bank, environment

NOWHERE = "sqlite:///nowhere/bank.db"
ROOT_USER = ("create-staff", "--email", "Root@Example.com", "--role", "admin")


def test_migrate_brings_an_empty_database_to_the_newest_schema_and_again_does_no_harm(
    empty_database_url: str, tmp_path: Path
) -> None:
    env = environment(empty_database_url)
    assert bank("doctor", env=env, cwd=tmp_path).returncode == 1
    for _ in range(2):
        done = bank("migrate", env=env, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    told = bank("doctor", env=env, cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    with running(settings_for(empty_database_url)) as client:
        client.sign_up()
    if empty_database_url.startswith("sqlite"):
        file = Path(str(make_url(empty_database_url).database))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_doctor_says_to_migrate(empty_database_url: str, tmp_path: Path) -> None:
    told = bank("doctor", env=environment(empty_database_url), cwd=tmp_path)
    assert told.returncode == 1
    assert "run `bank migrate`" in told.stderr
    assert not list(tmp_path.rglob("*.db"))


def test_doctor_names_every_wrong_setting_and_no_value(tmp_path: Path) -> None:
    wrong = {
        "APP_ENV": "canary",
        "DATABASE_URL": "canary://u:canary@h",
        "JWT_SECRET": "canary",
        "CORS_ORIGINS": "*",
        "BANK_TIMEZONE": "canary",
        "JWT_PREVIOUS_SECRETS_FILE": "/canary",
        "LOG_LEVEL": "canary",
    }
    for command in ("doctor", "migrate", "serve"):
        told = bank(command, env=environment(**wrong), cwd=tmp_path)
        assert told.returncode == 1
        assert {line.split()[0] for line in told.stderr.splitlines()} == set(wrong)
        assert "canary" not in told.stdout + told.stderr


@pytest.mark.parametrize(
    "command", [("doctor",), ("migrate",), (*ROOT_USER, "--password-stdin")], ids=lambda command: command[0]
)
def test_a_database_that_does_not_answer_is_told_in_a_sentence(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    env = environment("postgresql://nobody:canary@127.0.0.1:9/none")
    told = bank(*command, env=env, cwd=tmp_path, stdin=f"{PASSWORD}\n")
    assert told.returncode == 1
    assert re.fullmatch(r"Error: .*The database does not answer\.\n", told.stderr)


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = bank("migrate", env=environment(f"sqlite:///{tmp_path}/file/data/bank.db"), cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr.startswith("Error: ")
    assert "Traceback" not in told.stderr


class TestCreateStaff:
    def run(
        self, url: str, folder: Path, *change: str, stdin: str = f"{PASSWORD}\n"
    ) -> subprocess.CompletedProcess[str]:
        command = (*ROOT_USER, "--password-stdin", *change)
        return bank(*command, env=environment(url), cwd=folder, stdin=stdin)

    def test_makes_a_login_for_staff(self, client: ApiClient, database_url: str, tmp_path: Path) -> None:
        made = self.run(database_url, tmp_path)
        assert (made.returncode, made.stderr) == (0, "")
        assert re.fullmatch(r"usr_\w{26} root@example.com admin\n", made.stdout)
        assert client.log_in("root@example.com").get("/v1/auth/me").json()["role"] == "admin"

    def test_refuses_an_address_that_is_taken(
        self, client: ApiClient, database_url: str, tmp_path: Path
    ) -> None:
        client.sign_up("root@example.com")
        told = self.run(database_url, tmp_path)
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr == "Error: There is a user with this e-mail address.\n"
        assert client.log_in("root@example.com").get("/v1/auth/me").json()["role"] == "customer"

    @pytest.mark.parametrize("password", ["", "short", "password123", "x" * 257])
    def test_refuses_a_weak_password_before_it_asks_the_database(self, tmp_path: Path, password: str) -> None:
        told = self.run(NOWHERE, tmp_path, stdin=f"{password}\n")
        assert (told.returncode, told.stdout) == (1, "")
        assert re.match("Error: (The|This) password", told.stderr)

    def test_refuses_what_is_no_address(self, tmp_path: Path) -> None:
        told = self.run(NOWHERE, tmp_path, "--email", "nobody")
        assert told.returncode == 1
        assert told.stderr == "Error: This is not an e-mail address.\n"

    @pytest.mark.parametrize("role", ["customer", "ADMIN"])
    def test_knows_only_the_roles_of_staff(self, tmp_path: Path, role: str) -> None:
        assert self.run(NOWHERE, tmp_path, "--role", role).returncode == 2

    @pytest.mark.parametrize("arguments", [("--password", PASSWORD), (PASSWORD,)])
    def test_takes_no_password_from_its_arguments(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        assert self.run(NOWHERE, tmp_path, *arguments).returncode == 2

    def test_says_to_migrate_first(self, empty_database_url: str, tmp_path: Path) -> None:
        told = self.run(empty_database_url, tmp_path)
        assert told.returncode == 1
        assert "run `bank migrate`" in told.stderr

    def test_asks_twice_at_a_terminal_and_shows_nothing(
        self, client: ApiClient, database_url: str, tmp_path: Path
    ) -> None:
        ours, terminal = pty.openpty()
        process = subprocess.Popen(
            [str(BIN / "bank"), *ROOT_USER],
            env=environment(database_url),
            cwd=tmp_path,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        shown = b""
        dialogue = [
            (b"Password: ", PASSWORD),
            (b"confirmation: ", "something else"),
            (b"Password: ", PASSWORD),
            (b"confirmation: ", PASSWORD),
            (b"admin", ""),
        ]
        for prompt, answer in dialogue:
            heard = b""
            while prompt not in heard:
                heard += os.read(ours, 1000)
            shown += heard
            os.write(ours, f"{answer}\n".encode())
        assert process.wait(60) == 0
        os.close(ours)
        assert PASSWORD.encode() not in shown
        assert client.log_in("root@example.com").get("/v1/auth/me").json()["role"] == "admin"


def test_several_workers_on_sqlite_are_refused_with_a_sentence(tmp_path: Path) -> None:
    told = bank("serve", "--workers", "2", env=environment(f"sqlite:///{tmp_path}/bank.db"), cwd=tmp_path)
    assert told.returncode == 1
    assert re.fullmatch(r"Error: SQLite .*PostgreSQL.*\.\n", told.stderr)


def test_serve_refuses_a_kept_secret_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").touch()
    env = environment(f"sqlite:///{tmp_path}/bank.db", JWT_SECRET="")
    told = bank("serve", "--port", "0", env=env, cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr.startswith("JWT_SECRET ")
    assert "Traceback" not in told.stderr


def test_importing_the_application_reads_no_settings_and_opens_nothing(tmp_path: Path) -> None:
    env = environment("nonsense", APP_ENV="nowhere", JWT_SECRET="short")
    code = "import app.main; print(app.main.create_app.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("create_app\n", "")
    assert list(tmp_path.iterdir()) == []


def test_making_the_application_opens_no_database(tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path}/data/bank.db")
    code = "from app.main import app; print(app.title)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("banking-service\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [("--port", "99999"), ("--port", "-1"), ("--workers", "0")])
def test_a_port_or_a_count_that_cannot_be_is_refused_with_a_sentence(
    options: tuple[str, str], tmp_path: Path
) -> None:
    told = bank("serve", *options, env=environment(f"sqlite:///{tmp_path}/data/bank.db"), cwd=tmp_path)
    assert told.returncode == 2
    assert "is not in the range" in told.stderr


def test_a_database_of_later_code_or_of_other_programs_is_told_in_a_sentence(
    empty_database_url: str, tmp_path: Path
) -> None:
    env = environment(empty_database_url)
    assert bank("migrate", env=env, cwd=tmp_path).returncode == 0
    engine = create_engine(settings_for(empty_database_url).url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    engine.dispose()
    told = bank("migrate", env=env, cwd=tmp_path)
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert "later" in told.stderr


def test_doctor_names_a_database_that_others_may_read(tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path}/data/bank.db")
    assert bank("migrate", env=env, cwd=tmp_path).returncode == 0
    for path in (tmp_path / "data" / "bank.db", tmp_path / "data"):
        path.chmod(0o755)
        told = bank("doctor", env=env, cwd=tmp_path)
        assert told.returncode == 1
        assert f"{path} is open to others" in told.stderr
        path.chmod(0o700)
    assert bank("doctor", env=env, cwd=tmp_path).returncode == 0
