"""A database that fails, over HTTP: what the client is told, what is stored, and that it passes."""

import shutil
from pathlib import Path

import httpx
from sqlalchemy import func, select

from app.core.config import Settings
from app.models import User
from tests import scratch
from tests.client import PASSWORD, ApiClient, error_of, running
from tests.conftest import settings_for

ADA = {"email": "ada@example.com", "password": PASSWORD}


def sign_up(client: ApiClient) -> httpx.Response:
    return client.post("/v1/auth/signup", json=ADA)


def users(client: ApiClient) -> int:
    return client.db.run_read(lambda session: session.scalar(select(func.count()).select_from(User)) or 0)


def assert_recovered(client: ApiClient) -> None:
    assert client.get("/v1/health").status_code == 200
    assert sign_up(client).status_code == 201
    assert client.log_in().get("/v1/auth/me").status_code == 200


def test_a_commit_that_fails_is_never_a_success(client: ApiClient) -> None:
    scratch.fail_commits_after(client.db, "users")
    for _ in range(2):
        error_of(sign_up(client), 500, "internal_error")
        assert users(client) == 0
    scratch.succeed_again(client.db, "users")
    assert_recovered(client)


@scratch.ONLY_POSTGRESQL
def test_a_connection_lost_at_commit_is_503_even_if_the_user_may_exist(client: ApiClient) -> None:
    scratch.fail_on_insert(client.db, scratch.CUT, times=1, at_commit=True, table="users")
    refused = sign_up(client)
    error_of(refused, 503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert users(client) == 0
    assert_recovered(client)


def test_full_storage_refuses_writes_and_still_reads(client: ApiClient) -> None:
    client.sign_up("grace@example.com")
    db = client.db
    if db.engines.writers == 1:
        # A real one: the file may not grow, and each new user would make it.
        scratch.execute(
            db,
            "CREATE TABLE ballast (bytes BLOB)",
            "CREATE TRIGGER grow AFTER INSERT ON users "
            "BEGIN INSERT INTO ballast VALUES (zeroblob(99999)); END",
            "PRAGMA max_page_count = 1",
        )
    else:
        scratch.fail_on_insert(db, "RAISE EXCEPTION 'no' USING ERRCODE = '53100'", table="users")
    refused = sign_up(client)
    error_of(refused, 503, "storage_full")
    assert int(refused.headers["Retry-After"]) >= 1
    assert users(client) == 1
    assert client.get("/v1/health").status_code == 200
    if db.engines.writers == 1:
        scratch.execute(db, "PRAGMA max_page_count = 1000000")
    else:
        scratch.succeed_again(db, "users")
    assert_recovered(client)


def test_a_lock_that_is_held_too_long_is_503_and_its_release_does_not_revive_the_request(
    settings: Settings,
) -> None:
    with running(settings.model_copy(update={"lock_timeout_seconds": 0.2})) as client:
        with scratch.other_writer(settings, "LOCK TABLE users IN EXCLUSIVE MODE"):
            refused = sign_up(client)
            error_of(refused, 503, "lock_timeout")
            assert int(refused.headers["Retry-After"]) >= 1
            assert client.get("/v1/health/ready").status_code == 200
        assert users(client) == 0
        assert_recovered(client)


@scratch.ONLY_POSTGRESQL
def test_every_connection_being_cut_is_not_noticed(client: ApiClient, settings: Settings) -> None:
    ada = client.sign_up()
    scratch.cut_all_connections(settings)
    assert ada.get("/v1/auth/sessions").status_code == 200
    assert client.sign_up("grace@example.com")


def test_a_missing_database_is_503_until_it_is_back(client: ApiClient, settings: Settings) -> None:
    client.sign_up("grace@example.com")
    with scratch.missing(settings):
        error_of(client.get("/v1/health"), 503, "database_unavailable")
        error_of(client.get("/v1/health/ready"), 503, "database_unavailable")
        assert client.get("/v1/health/live").status_code == 200
        error_of(sign_up(client), 503, "database_unavailable")
    assert users(client) == 1
    assert_recovered(client)


@scratch.ONLY_SQLITE
def test_a_file_that_is_no_database_is_503_until_it_is_replaced(
    client: ApiClient, settings: Settings
) -> None:
    good = settings.sqlite_path.with_suffix(".good")
    settings.sqlite_path.rename(good)
    settings.sqlite_path.write_bytes(b"this is no database " * 500)
    error_of(client.get("/v1/health/ready"), 503, "database_unavailable")
    error_of(sign_up(client), 503, "database_unavailable")
    good.replace(settings.sqlite_path)
    assert_recovered(client)
    assert scratch.integrity(settings.sqlite_path) == "ok"


@scratch.ONLY_SQLITE
def test_a_file_that_is_replaced_is_the_one_that_is_read_and_written(
    client: ApiClient, settings: Settings, sqlite_template: Path
) -> None:
    client.sign_up()
    restored = settings.sqlite_path.with_suffix(".restored")
    shutil.copy(sqlite_template, restored)
    for side in ("-wal", "-shm"):
        Path(f"{settings.sqlite_path}{side}").unlink(missing_ok=True)
    restored.replace(settings.sqlite_path)
    assert users(client) == 0
    assert_recovered(client)
    assert scratch.integrity(settings.sqlite_path) == "ok"


@scratch.ONLY_SQLITE
def test_a_database_that_cannot_be_written_is_503_and_still_read(client: ApiClient) -> None:
    def switch(value: str) -> None:
        raw = client.db.engines.writer.raw_connection()
        raw.driver_connection.execute(f"PRAGMA query_only = {value}")  # type: ignore[union-attr]
        raw.close()

    switch("ON")
    error_of(sign_up(client), 503, "database_unavailable")
    assert client.get("/v1/health/ready").status_code == 200
    switch("OFF")
    assert_recovered(client)


def test_an_unmigrated_database_is_not_ready_and_nothing_is_created(empty_database_url: str) -> None:
    settings = settings_for(empty_database_url)
    with running(settings) as client:
        if settings.is_sqlite:
            error_of(client.get("/v1/health/ready"), 503, "database_unavailable")
            error_of(sign_up(client), 503, "database_unavailable")
        else:
            error_of(client.get("/v1/health/ready"), 503, "not_ready")
            error_of(sign_up(client), 503, "not_ready")
    assert not (settings.is_sqlite and settings.sqlite_path.exists())
