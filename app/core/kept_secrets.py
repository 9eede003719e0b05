"""Secrets of dev and test: random ones, kept beside the database where none is configured."""

import os
import secrets
from pathlib import Path

from app.core.config import SHORTEST_SECRET, ConfigurationError, Settings
from app.core.files import create_private_file


def resolve_jwt_secret(settings: Settings) -> str:
    """The signing secret: the setting or, in dev and test, a random one kept beside the database."""
    return settings.jwt_secret.get_secret_value() or _kept(settings, "jwt_secret")


def resolve_card_key(settings: Settings) -> str:
    """The key of card numbers' fingerprints: the setting or, in dev and test, a kept one likewise."""
    return settings.card_key.get_secret_value() or _kept(settings, "card_key")


def _kept(settings: Settings, name: str) -> str:
    """The secret in the file of this name, which is made first where there is none."""
    path, variable = settings.data_folder / name, name.upper()
    create_private_file(path, lambda draft: _write(draft, secrets.token_urlsafe(32)))
    status = path.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigurationError([(variable, f"would be read from {path}, which is not only yours")])
    kept = path.read_text("utf-8").strip()
    if len(kept) < SHORTEST_SECRET:
        raise ConfigurationError([(variable, f"is too short in {path}: remove that file for a new one")])
    return kept


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
