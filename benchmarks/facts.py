"""Where a run took place: the processor, the disk, versions, and how the load was made."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import systems
from benchmarks.cells import CLIENTS
from benchmarks.world import ACCOUNTS, OWNERS
from reliability import machine

_PAGE: Final = bytes(4096)
_PAGES: Final = 1024
_SYNC_SECONDS: Final = 1.0


def describe(folder: Path, *, rounds: int, seconds: float, grown: int) -> dict[str, Any]:
    """All of it, for the record."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": machine.commit(),
        "versions": machine.versions(),
        "machine": {
            **machine.machine(),
            # This process keeps to one of them.
            "cores": len(systems.USABLE),
            "core_under_test": systems.cores()[0],
            "core_of_the_load": systems.cores()[1],
            "busy_before": os.getloadavg()[0],
            "file_system": _file_system(folder),
            "fdatasync_a_second": syncs_a_second(folder),
        },
        "load": {
            "rounds": rounds,
            "seconds": seconds,
            "clients": CLIENTS,
            "accounts": ACCOUNTS,
            "owners": OWNERS,
            "grown": grown,
            "log_level": os.environ.get("LOG_LEVEL", "INFO"),
        },
    }


def syncs_a_second(folder: Path) -> int:
    """How often the disk of this folder can be waited for: 4 KiB of a file are overwritten and synced."""
    path = folder / "syncs"
    number = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(number, _PAGE * _PAGES, 0)
    os.fsync(number)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + _SYNC_SECONDS:
        os.pwrite(number, _PAGE, done % _PAGES * len(_PAGE))
        os.fdatasync(number)
        done += 1
    took = time.perf_counter() - begin
    os.close(number)
    path.unlink()
    return round(done / took)


def _file_system(folder: Path) -> str:
    """The kind of the file system that this folder is on; the last mount that covers it."""
    found = "unknown"
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, place, kind = line.split(" ")[:3]
        decoded = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), place)
        if folder.resolve().is_relative_to(decoded):
            found = kind
    return found
