"""The `bank` command: run the service and look after it."""

import logging
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Final, TextIO

import click
import uvicorn
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from app import exporting, imports, issuing
from app.api.filters import ended_month
from app.api.protocol import BoundedHttp
from app.core.caller import STAFF_ROLES, Origin, Role
from app.core.config import ConfigurationError, Settings, load_settings
from app.core.errors import BankingError, IdempotencyKeyReused, NotFound, ValidationFailed
from app.core.kept_secrets import resolve_card_key, resolve_jwt_secret
from app.core.logging import configure_logging
from app.core.security import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    PasswordHasher,
    is_common_password,
)
from app.core.text import normalize_email
from app.db import migrations
from app.db.faults import as_unavailable
from app.db.unit_of_work import Database
from app.ledger.policy import Policy
from app.ledger.posting import Ledger
from app.services import auth, health, integrity, statements

# Requests may take this long after SIGTERM; with closing the database, the exit is inside 10 s.
_GRACE_SECONDS: Final = 7
_LONGEST_IMPORT: Final = timedelta(days=1)
_HERE: Final = Origin(address=None, request_id=None)


@click.group()
def main() -> None:
    """Runs the banking service and looks after it."""
    # A command says what is wrong in one sentence; only the service writes a log.
    logging.root.addHandler(logging.NullHandler())


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Loads the settings first; wrong ones are told by their variables, and the exit code is 1.

    What fails for a reason outside this program is told in a sentence, too.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(load_settings(), *args, **kwargs)
        except ConfigurationError as error:
            for variable, reason in error.problems:
                click.echo(f"{variable} {reason}", err=True)
            sys.exit(1)
        except BankingError as error:
            raise click.ClickException(error.message) from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'The system'}: {error.strerror}") from None
        except SQLAlchemyError as error:
            raise click.ClickException(_reason(error)) from None
        except (CommandError, UnicodeError) as error:
            raise click.ClickException(str(error)) from None

    return run


def _reason(error: SQLAlchemyError) -> str:
    """What a database's refusal means, or else its own first line."""
    unavailable = as_unavailable(error)
    if unavailable is not None:
        return unavailable.message
    said = str(getattr(error, "orig", None) or error).splitlines()
    return f"The database refused: {said[0] if said else type(error).__name__}"


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, type=click.IntRange(0, 65535), show_default=True, help="Port to listen on."
)
@click.option(
    "--workers", default=1, type=click.IntRange(1), show_default=True, help="Processes; SQLite takes one."
)
@with_settings
def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve the API."""
    if workers > 1 and settings.is_sqlite:
        raise click.ClickException(
            "SQLite has one writer, so one worker serves it. Set DATABASE_URL to PostgreSQL for more."
        )
    # Before the first worker starts: where that fails, each would fail for ever.
    resolve_jwt_secret(settings)
    resolve_card_key(settings)
    configure_logging(settings.log_level)
    uvicorn.run(
        "app.main:app",
        host=host,
        port=port,
        workers=workers,
        loop="asyncio",
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        server_header=False,
        # X-Forwarded-For is read by TRUSTED_PROXIES alone.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


@main.command()
@with_settings
def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. Running it again does no harm."""
    migrations.upgrade(settings)
    click.echo("The database is at the newest schema.")


@main.command("create-staff")
@click.option("--email", required=True, help="The login's e-mail address.")
@click.option(
    "--role",
    required=True,
    type=click.Choice(sorted(role.value for role in STAFF_ROLES)),
    help="What the member of staff may do.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_settings
def create_staff(settings: Settings, email: str, role: str, password_stdin: bool) -> None:
    """Make a login for a member of staff. There is no other way to become one."""
    address = _checked_email(email)
    password = _read_password(password_stdin)
    hasher = PasswordHasher(settings.app_env, workers=1)
    with closing(Database(settings, beside_service=True)) as db:
        _require_migrated(settings, db)
        user = db.run_write(
            auth.create_user,
            email=address,
            password_hash=hasher.hash_now(password),
            role=Role(role),
            origin=_HERE,
        )
    click.echo(f"{user.id} {user.email} {user.role}")


def _read_password(from_stdin: bool) -> str:
    """Never from the arguments, where every user of the machine can read it."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise click.ClickException(
            f"The password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."
        )
    if is_common_password(password):
        raise click.ClickException("This password is among the most used ones.")
    return password


def _checked_email(email: str) -> str:
    try:
        return normalize_email(email)
    except ValueError:
        raise click.ClickException("This is not an e-mail address.") from None


@main.command()
@with_settings
def doctor(settings: Settings) -> None:
    """Check the settings and the database; name everything that is wrong."""
    _require_private(settings)
    with closing(Database(settings)) as db:
        _require_migrated(settings, db)
    click.echo(f"Settings for {settings.app_env} are right; the database answers and is current.")


def _require_private(settings: Settings) -> None:
    """A database that others on this machine may read is one; what there is not cannot be read."""
    paths = [settings.sqlite_path, settings.sqlite_path.parent] if settings.is_sqlite else []
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o077:
            raise click.ClickException(f"DATABASE_URL: {path} is open to others: chmod go= {path}")


def _require_migrated(settings: Settings, db: Database) -> None:
    if settings.is_sqlite and not settings.sqlite_path.exists():
        raise click.ClickException("DATABASE_URL names a file that is not there: run `bank migrate`.")
    try:
        migrated = db.run_read(health.is_migrated)
    except BankingError as error:
        raise click.ClickException(f"DATABASE_URL: {error.message}") from None
    if not migrated:
        raise click.ClickException("The database is not at the newest schema: run `bank migrate`.")


@main.command()
@with_settings
def verify(settings: Settings) -> None:
    """Check the whole ledger in one snapshot; name every row that is wrong, and exit 1."""
    with closing(Database(settings, beside_service=True)) as db:
        _require_migrated(settings, db)
        report = db.run_read(integrity.verify)
    for finding in report.findings:
        click.echo(
            f"{finding.row}: {finding.rule}: is {finding.actual}, should be {finding.expected}", err=True
        )
    if report.findings:
        sys.exit(1)
    click.echo(f"{report.rules} rules checked; the books are right.")


@main.command("issue-statements")
@click.option("--month", required=True, help="A month of the bank that is over, such as 2026-02.")
@with_settings
def issue_statements(settings: Settings, month: str) -> None:
    """Issue the statements of a month for every account; go on where an interruption left it."""
    try:
        period = ended_month(month, settings.bank_timezone)
    except (ValueError, ValidationFailed):
        raise click.ClickException("--month takes a month that is over, such as 2026-02.") from None
    with closing(Database(settings, beside_service=True)) as db:
        _require_migrated(settings, db)
        waiting = db.run_read(statements.count_unissued_accounts, period)
        issued = 0
        with click.progressbar(length=waiting, label=month) as bar:
            for _ in issuing.issue_all(db, period, settings.bank_name):
                issued += 1
                bar.update(1)
    click.echo(f"{issued} statements of {month} issued.")


@main.command("export")
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(sorted(exporting.FORMATS)),
    help="How it is written.",
)
@click.option(
    "--output",
    default="-",
    type=click.File("w", encoding="utf-8", atomic=True),
    help="The file, which appears when it is whole; standard output when not given.",
)
@with_settings
def export_journal(settings: Settings, format_: str, output: TextIO) -> None:
    """Write the whole ledger, in one snapshot, so that another program can check its sums."""
    with closing(Database(settings, beside_service=True)) as db:
        _require_migrated(settings, db)
        # The bar goes where the journal does not.
        with click.progressbar(length=0, label=format_, file=sys.stderr) as bar:
            export = exporting.Export(
                exporting.FORMATS[format_],
                settings.bank_timezone,
                write=output.write,
                expect=lambda count: setattr(bar, "length", count),
                done=bar.update,
            )
            try:
                db.run_read(export)
            except exporting.Interrupted:
                raise click.ClickException("The database was lost in the middle; begin again.") from None


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "email", required=True, help="The login that pays: its rules hold, and it is audited.")
@click.option("--name", help="What the import is known by; the file's own name when not given.")
@with_settings
def import_transfers(settings: Settings, file: Path, email: str, name: str | None) -> None:
    """Post the transfers of a CSV file; go on where an interruption left it."""
    try:
        given = imports.read(file, name)
    except imports.WrongFile as wrong:
        raise click.ClickException(f"{file}: nothing was posted.\n{wrong}") from None
    address, ledger = _checked_email(email), Ledger(Policy.of(settings))
    outcomes: list[Any] = []
    with closing(Database(settings, beside_service=True)) as db:
        _require_migrated(settings, db)
        try:
            caller = db.run_write(auth.begin_command, email=address, life=_LONGEST_IMPORT, origin=_HERE)
        except NotFound:
            raise click.ClickException("There is no active login with this address.") from None
        try:
            with click.progressbar(length=len(given.transfers), label=given.name) as bar:
                for chunk in imports.post(db, ledger, caller, given):
                    outcomes += chunk
                    bar.update(len(chunk))
        except IdempotencyKeyReused:
            raise click.ClickException(
                f"An import named {given.name!r} had another content; give this one a --name."
            ) from None
        finally:
            db.run_write(auth.log_out, caller=caller)
    results = file.with_name(f"{file.name}.results.csv")
    imports.write_results(results, outcomes)
    refused = sum(isinstance(outcome, BankingError) for outcome in outcomes)
    click.echo(f"{len(outcomes) - refused} posted, {refused} refused; each line is in {results}.")
    sys.exit(1 if refused else 0)
