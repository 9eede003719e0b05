"""Files that only the service may read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def private_folder(path: Path) -> None:
    """Makes the folder for the database and its secrets, mode 0700, unless it is there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_private_file(path: Path, fill: Callable[[Path], None]) -> None:
    """Makes a file, mode 0600, unless it is there; `fill` writes it under another name first.

    It appears whole or not at all, and of several processes at once exactly one makes it.
    """
    if path.exists():
        return
    private_folder(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        fill(draft)
        # A link never replaces what another process has made in the meantime.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
