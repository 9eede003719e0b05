"""Builds the image of the Dockerfile without a container engine, runs it, and checks what it promises.

For machines that have no Docker: it needs root on Debian or Ubuntu and the packages buildah and debootstrap.
The base is a Debian made on the spot (or `--base`, where a registry can be reached), and both are kept in
~/.cache/banking-service. pip's configuration and certificates are those of this machine, mounted read-only.
"""

import argparse
import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import trial
from trial import require, say

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "banking-service"
PACKAGES = {"buildah": "buildah", "debootstrap": "debootstrap"}
IMAGE = "localhost/banking-service:local"
SUITE = "bookworm"
UID = 10001
GRACE_SECONDS = 20
IDLE_SECONDS = 10
# Where a program would be that compiles, installs or fetches.
TOOLS = {"gcc", "g++", "cc", "c++", "clang", "make", "ld", "as", "rustc", "cargo", "git", "curl", "wget"}


def main() -> None:
    """Builds, checks and runs; the exit code is 1 when anything is not as promised."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--base", help=f"the base image; else a Debian {SUITE} made by debootstrap")
    options.add_argument("--mirror", default="", help="where debootstrap gets its packages from")
    given = options.parse_args()
    require_tools()
    trial.refuse_busy_port()
    CACHE.mkdir(parents=True, exist_ok=True)
    base = given.base or debian(given.mirror)
    build(base)
    with container() as image:
        say("image size", f"{size(IMAGE)}, of which the base {size(base)}")
        check_files(image.files)
        check_settings(image)
        check_refusals(image)
        check_service(image)
        check_workers(image)
    print("The image is as promised.")


def require_tools() -> None:
    """Says what is missing, and how to get it."""
    missing = [package for tool, package in PACKAGES.items() if shutil.which(tool) is None]
    if missing:
        sys.exit(f"Missing: {', '.join(missing)}. On Debian or Ubuntu: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        sys.exit("This makes a Debian in a folder and runs it, which takes root. With Docker: docker build .")


def buildah(*arguments: str, **options: Any) -> str:
    """Runs buildah with a store of its own; its output. A failure ends this program."""
    command = buildah_command(*arguments)
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False, **options)
    if done.returncode:
        sys.exit(f"failed with {done.returncode}: {' '.join(command)}\n{done.stdout}")
    return done.stdout.strip()


def buildah_command(*arguments: str) -> list[str]:
    store = ["--root", str(CACHE / "store"), "--runroot", str(CACHE / "run"), "--storage-driver", "vfs"]
    return ["buildah", *store, *arguments]


def debian(mirror: str) -> str:
    """A Debian with Python and nothing that it does not need, made once."""
    name = f"localhost/debian-python:{SUITE}"
    if buildah("images", "--quiet", "--filter", f"reference={name}"):
        return name
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        print(f"Making a Debian {SUITE} (once) ...", flush=True)
        include = "--include=python3,python3-venv"
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", include, SUITE, folder, *filter(None, [mirror])],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if made.returncode:
            sys.exit(f"debootstrap failed:\n{made.stdout[-2000:]}")
        for used in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(Path(folder) / used, ignore_errors=True)
        working = buildah("from", "scratch")
        buildah("add", "--quiet", working, folder, "/")
        buildah("commit", "--quiet", "--rm", working, name)
    return name


def build(base: str) -> None:
    """The Dockerfile, as an engine would build it."""
    began = time.monotonic()
    with pip_configuration() as mounts:
        # The output is shown only when it fails; `docker` is the form that keeps the health check.
        buildah(
            *("build", "--quiet", "--format", "docker", "--isolation", "chroot", "--network", "host"),
            *("--no-cache", "--build-arg", f"BASE_IMAGE={base}", "--tag", IMAGE),
            *(word for mount in mounts for word in ("--volume", f"{mount}:ro")),
            str(ROOT),
        )
    say("build", f"{time.monotonic() - began:.0f} s")


@contextmanager
def pip_configuration() -> Iterator[list[str]]:
    """Mounts for this machine's pip settings and every local file or folder that they name."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    sections: dict[str, dict[str, str]] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        # A variable of the environment comes first in the list and wins.
        sections.setdefault(section.replace(":env:", "global"), {}).setdefault(
            option, ast.literal_eval(value)
        )
    values = [value for section in sections.values() for value in section.values()]
    words = [word for value in values for word in value.split()]
    paths = {Path(word) for word in words if word.startswith("/")}
    # An index in a folder lists files that are beside it.
    paths |= {Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")}
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        for section, options in sections.items():
            lines = [f"{option} = {value}" for option, value in options.items()]
            file.write("\n".join([f"[{section}]", *lines, ""]))
        file.flush()
        Path(file.name).chmod(0o644)
        local = sorted(str(path) for path in paths if path.exists() and path != Path("/"))
        yield [f"{file.name}:/etc/pip.conf", *(f"{path}:{path}" for path in local)]


class Image:
    """A container of the image: its files, its configuration, and how to run something in it."""

    def __init__(self, name: str, files: Path) -> None:
        self.name = name
        self.files = files
        inspected = json.loads(buildah("inspect", "--type", "image", IMAGE))
        self.config: dict[str, Any] = inspected["Docker"]["config"]

    def run(self, data: Path, *command: str, **environment: str) -> list[str]:
        """The command line that runs `command` on this folder of data."""
        variables = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        options = ["--isolation", "chroot", "--volume", f"{data}:/app/data", *variables]
        return buildah_command("run", *options, self.name, "--", *command)

    @contextmanager
    def volume(self) -> Iterator[Path]:
        """A new volume: it gets the owner and the mode that the image gives its folder of data."""
        with tempfile.TemporaryDirectory() as parent:
            Path(parent).chmod(0o755)
            folder, like = Path(parent) / "data", (self.files / "app/data").stat()
            folder.mkdir()
            folder.chmod(like.st_mode & 0o7777)
            os.chown(folder, like.st_uid, like.st_gid)
            yield folder


@contextmanager
def container() -> Iterator[Image]:
    name = buildah("from", IMAGE)
    try:
        yield Image(name, Path(buildah("mount", name)))
    finally:
        buildah("rm", name)


def size(name: str) -> str:
    """What an image's files take, unpacked: `176 MB`."""
    return str(json.loads(buildah("images", "--json", name))[0]["size"])


def check_files(files: Path) -> None:
    """Nothing is in the image that could help an intruder, or that is somebody's secret."""
    programs = {
        path.name
        for folder in ("usr/bin", "usr/local/bin", "opt/venv/bin")
        for path in (files / folder).iterdir()
    }
    require(not programs & TOOLS, f"no compiler or fetching tool, but {sorted(programs & TOOLS)}")
    require(
        "pip" not in {path.name for path in (files / "opt/venv/bin").iterdir()}, "no pip beside the service"
    )
    inside = {path.name for path in (files / "app").iterdir()}
    expected = {"alembic", "alembic.ini", "app", "data", "healthcheck.py"}
    require(inside == expected, f"only what runs is in /app, but {sorted(inside ^ expected)}")
    require(not any((files / "app/data").iterdir()), "an empty folder of data")
    mine = [path for top in ("app", "opt") for path in (files / top).rglob("*")]
    private = [
        path
        for path in mine
        if path.name in {".env", "jwt_secret", "card_key"} or path.suffix in {".key", ".db"}
    ]
    require(not private, f"no secret and no data, but {private}")
    owned = [path for path in mine if path.lstat().st_uid and path != files / "app/data"]
    require(not owned, f"the service cannot change its own code, but {owned[:3]}")


def check_settings(image: Image) -> None:
    """What an engine reads of the image."""
    config = image.config
    require(config["User"] == "appuser", "it does not run as root")
    require(config["WorkingDir"] == "/app", "it works in /app")
    require("8000/tcp" in config["ExposedPorts"], "it says its port")
    names = {line.split("=")[0] for line in config["Env"]}
    require(not any("SECRET" in name or "PASSWORD" in name for name in names), "no secret in its environment")


def check_refusals(image: Image) -> None:
    """It does not serve without a secret in production, nor on a database that cannot be migrated."""
    for problem, environment in (
        ("JWT_SECRET is required", {"APP_ENV": "prod"}),
        ("Permission denied", {"DATABASE_URL": "sqlite:////nowhere/bank.db"}),
    ):
        with image.volume() as data:
            command = image.run(data, *image.config["Cmd"], **environment)
            refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        require(refused.returncode != 0, f"it refuses to start: {problem}")
        require(problem in refused.stderr, f"it says why: {problem}; it said {refused.stderr!r}")


def check_service(image: Image) -> None:
    """Somebody signs up; after a stop and a start on the same volume that person can log in."""
    health = image.config["Healthcheck"]["Test"][1:]
    command = image.config["Cmd"]
    with image.volume() as data:
        with served(image.run(data, *command), "start on an empty volume") as server:
            check_process(server)
            require(subprocess.run(image.run(data, *health), check=False).returncode == 0, "it is healthy")
            trial.sign_up()
            user = trial.log_in()
            time.sleep(IDLE_SECONDS)
            say("idle memory", f"{trial.resident_megabytes(server)} MB resident")
        check_data(data)
        with served(image.run(data, *command), "start on a used volume"):
            require(trial.log_in() == user, "the user of before the restart is there")
        unhealthy = subprocess.run(image.run(data, *health), capture_output=True, check=False)
        require(unhealthy.returncode == 1, "its health check says so when nothing is served")


def check_workers(image: Image) -> None:
    """Several workers start. Their database cannot be reached, which is no reason for a worker to end."""
    command = ["bank", "serve", "--host", "0.0.0.0", "--workers", "2"]  # noqa: S104 - as in the image
    nowhere = "postgresql://bank@127.0.0.1:1/bank"
    with image.volume() as data:
        run = image.run(data, *command, DATABASE_URL=nowhere)
        with served(run, "start of two workers", path="/v1/health/live") as server:
            require(len(trial.descendants(server)) >= 2, "there are two workers")


@contextmanager
def served(command: list[str], what: str, path: str = "/v1/health") -> Iterator[int]:
    """The first process of the container, until the block ends; then SIGTERM, which it must obey in time."""
    trial.refuse_busy_port()
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        runner = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            trial.await_success(path, lambda: require(runner.poll() is None, f"it starts:\n{told(log)}"))
            say(what, f"{time.monotonic() - began:.1f} s until {path} answers 200")
            server = trial.started_as(UID, runner.pid)
            yield server
            os.kill(server, signal.SIGTERM)
            began = time.monotonic()
            runner.wait(GRACE_SECONDS)
            say("stop", f"{time.monotonic() - began:.1f} s after SIGTERM")
            require("stopped" in told(log), "it says that it has stopped in order")
        finally:
            for process in trial.descendants(runner.pid):
                os.kill(process, signal.SIGKILL)
            runner.wait()


def told(log: IO[str]) -> str:
    """What the service has written so far."""
    log.seek(0)
    return log.read()


def check_process(server: int) -> None:
    """The server is what the command started, and is not root."""
    status = Path(f"/proc/{server}/status").read_text()
    require(f"Uid:\t{UID}\t{UID}\t{UID}\t{UID}\n" in status, "it runs as the fixed user")
    require(f"Gid:\t{UID}\t{UID}\t{UID}\t{UID}\n" in status, "and as that user's group")
    words = Path(f"/proc/{server}/cmdline").read_bytes().split(b"\0")
    require(b"serve" in words, "the server took the place of the shell, so that SIGTERM reaches it")


def check_data(data: Path) -> None:
    """Nobody else on the machine can read the data."""
    files = {path.name: path.stat() for path in data.iterdir()}
    require(
        {"banking.db", "jwt_secret", "card_key"} <= set(files),
        f"data and secrets are in the volume: {sorted(files)}",
    )
    require(data.stat().st_mode & 0o777 == 0o700, "the folder of data has mode 0700")
    open_files = [name for name, status in files.items() if status.st_mode & 0o777 != 0o600]
    require(not open_files, f"every file in it has mode 0600, but {open_files}")
    foreign = [name for name, status in files.items() if status.st_uid != UID]
    require(not foreign, f"every file in it is the service's, but {foreign}")


if __name__ == "__main__":
    main()
