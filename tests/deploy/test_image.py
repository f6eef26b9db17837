"""The image, built for real by buildah on a Debian of its own, and run as its user."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from exporter_process import text_at, until
from programs import free_port, lacking, program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent.parent
BASE = ROOT / "build" / "image-base"  # made once: `make clean` forgets it
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IMAGE = "localhost/docusage-exporter"
PYTHON = "3.11"  # the base's


def done(*command: str | Path) -> str:
    """What a command prints; fails with what it says when it fails."""
    result = subprocess.run(  # noqa: S603  our own words
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


class Builder:
    """buildah with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.command = (
            program("buildah"),
            *("--root", str(folder / "store"), "--runroot", str(folder / "run")),
            *("--storage-driver", "vfs"),
        )

    def __call__(self, *arguments: str | Path) -> str:
        return done(*self.command, *arguments).strip()


def debian() -> Path:
    """The files of a small Debian with Python."""
    debootstrap = program("debootstrap")
    if not BASE.exists():  # pragma: no cover  as below
        make_debian(debootstrap)
    return BASE


def make_debian(debootstrap: str) -> None:  # pragma: no cover  once on each machine
    if os.geteuid() != 0:
        lacking("only root can make a Debian")
    unfinished = BASE.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(exist_ok=True)
    packages = "--include=python3,python3-venv"
    done(debootstrap, "--variant=minbase", packages, "bookworm", unfinished)
    for waste in ("cache/apt", "lib/apt/lists"):
        shutil.rmtree(unfinished / "var" / waste)
    for waste in ("doc", "locale", "man"):
        shutil.rmtree(unfinished / "usr" / "share" / waste)
    unfinished.rename(BASE)


def wheels(folder: Path) -> Path:
    """Every file that the build installs: the build itself then needs no network."""
    locks = (ROOT / "deploy" / name for name in ("requirements.lock", "build.lock"))
    done(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"),
        *("--only-binary=:all:", f"--python-version={PYTHON}", "--dest", folder),
        *(word for lock in locks for word in ("-r", lock)),
    )
    return folder


class Container(NamedTuple):
    """A container of the image, its files, and the image's own words on how to run it."""

    build: Builder
    name: str
    files: Path
    config: dict[str, Any]

    def command(self, port: int, words: Iterable[str]) -> list[str]:
        """What runs these words in the container, as its user."""
        environ = f"--env=DOCUSAGE_WEB_LISTEN_ADDRESS=127.0.0.1:{port}"
        return [*self.build.command, "run", "--isolation=chroot", environ, self.name, "--", *words]


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image, built, and a container of it."""
    folder = tmp_path_factory.mktemp("image")
    build = Builder(folder)
    name = build("from", "scratch")
    build("add", "--quiet", name, debian(), "/")
    build("commit", "--quiet", "--rm", name, "localhost/base")
    config = folder / "pip.conf"
    config.write_text("[global]\nno-index = true\nfind-links = /wheels\n", encoding="utf-8")
    build(
        *("bud", "--isolation=chroot", "--format=docker", "--pull-never", "--tag", IMAGE),
        *("--build-arg=BASE=localhost/base", f"--secret=id=pip.conf,src={config}"),
        f"--volume={wheels(folder / 'wheels')}:/wheels:ro",
        ROOT,
    )
    image = json.loads(build("inspect", "--type=image", IMAGE))
    name = build("from", "--pull-never", IMAGE)
    yield Container(build, name, Path(build("mount", name)), image["Docker"]["config"])
    build("rm", "--all")
    build("rmi", "--all", "--force")


@contextmanager
def running(container: Container, port: int) -> Iterator[None]:
    """The image's own command."""
    words = [*container.config["Entrypoint"], *container.config["Cmd"]]
    command = container.command(port, words)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603  our own words
        try:
            yield
        finally:
            # The exporter itself, for buildah does not pass signals on.
            exporter = descendants(process.pid)[-1]
            os.kill(exporter, signal.SIGTERM)
    assert process.returncode == 0


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [*children, *(below for child in children for below in descendants(child))]


def page(url: str) -> str:
    """What stands there, once somebody answers."""
    return until(lambda: text_at(url), timeout=20)


@pytest.mark.e2e
def test_the_image_s_user_can_write_no_file_of_it(container: Container) -> None:
    assert container.config["User"] == "65532:65532"
    writable = {
        str(path.relative_to(container.files))
        for path in container.files.rglob("*")
        if not path.is_symlink() and (path.is_file() or path.is_dir()) and can_write(path.stat())
    }
    assert writable <= {"tmp", "var/tmp", "run/lock", "dev/shm", "dev/mqueue"}


def can_write(found: os.stat_result) -> bool:
    return bool(found.st_mode & stat.S_IWOTH) or found.st_uid == 65532 or found.st_gid == 65532


@pytest.mark.e2e
def test_the_image_s_command_serves_the_demo_without_a_shell_or_root(container: Container) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    for shell in ("sh", "bash", "dash"):
        (container.files / "bin" / shell).unlink(missing_ok=True)
    with running(container, port):
        page(f"{url}/-/ready")
        assert 'docusage_target_up{target="acme-eu",vendor="affinda"} 1' in page(f"{url}/metrics")
        assert "<bdi>acme-eu</bdi>" in page(url)
        assert page(f"{url}/documentation").startswith("# docusage-exporter")
        kind, *check = container.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        assert done(*container.command(port, check)) == f"{url}/-/healthy: healthy\n"


@pytest.mark.e2e
def test_the_image_holds_no_installer_and_no_cache(container: Container) -> None:
    home = container.files / "opt" / "docusage-exporter"
    packages = {path.name for path in (home / "lib").glob("python*/site-packages/*")}
    assert {"exporter", "httpx", "lxml"} <= packages
    assert not {"pip", "setuptools", "hatchling"} & packages
    assert not (container.files / "opt" / "build").exists()
    assert not (container.files / "root" / ".cache").exists()
    assert list(home.rglob("exporter/__pycache__/model.*.pyc"))


@pytest.mark.e2e
def test_the_image_says_what_it_is(container: Container) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    prefix = "org.opencontainers.image."
    labels = {
        name.removeprefix(prefix): value for name, value in container.config["Labels"].items()
    }
    assert (labels["title"], labels["licenses"]) == ("docusage-exporter", "Apache-2.0")
    assert f'version = "{labels["version"]}"' in project
    assert f'description = "{labels["description"]}"' in project


def test_what_the_build_copies_is_let_through_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert let_through == {name for names in copied for name in names.split()}
    assert all((ROOT / name).exists() for name in let_through)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="hadolint is not built for it")
def test_a_linter_finds_nothing_wrong_with_the_dockerfile() -> None:
    assert done(Path(sys.executable).with_name("hadolint"), "--no-color", "Dockerfile") == ""
