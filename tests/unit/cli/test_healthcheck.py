"""`docusage-exporter healthcheck` against exporters in every state."""

from __future__ import annotations

import socket
import ssl
import subprocess
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from programs import program

from exporter.cli.healthcheck import find_problem, local_url
from exporter.cli.main import run
from exporter.server.sockets import AddressError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new key with a self-signed certificate."""
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=nobody"
    where = ("-keyout", str(path), "-out", str(path.with_suffix(".crt")))
    subprocess.run([program("openssl"), *command.split(), *where], check=True, capture_output=True)  # noqa: S603  openssl with our own arguments
    with path.open("a", encoding="utf-8") as file:
        file.write(path.with_suffix(".crt").read_text(encoding="utf-8"))
    return path


@contextmanager
def answering(answer: Callable[[socket.socket], None], times: int = 1) -> Iterator[int]:
    """A port on which a thread answers so many connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(times):
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def responding(status: str) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


def tls(
    identity: Path, status: str, *, asks_certificate: bool = False, max_version: str = "TLSv1_3"
) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion[max_version]
    context.load_cert_chain(identity)
    if asks_certificate:
        context.verify_mode = ssl.CERT_REQUIRED

    def answer(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                responding(status)(secure)
        except ssl.SSLError:
            return  # as a server does with a client that speaks plain HTTP

    return answer


def silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("200 OK", None),
        ("401 Unauthorized", None),
        ("503 Service Unavailable", "HTTP status 503"),
        ("404 Not Found", "HTTP status 404"),
        ("302 Found", "HTTP status 302"),
    ],
)
def test_an_exporter_is_healthy_by_its_status(status: str, found: str | None) -> None:
    with answering(responding(status)) as port:
        assert find_problem(f"http://127.0.0.1:{port}/-/healthy") == found


@pytest.mark.parametrize(
    ("status", "found"), [("200 OK", None), ("500 Internal Server Error", "HTTP status 500")]
)
def test_an_exporter_with_tls_needs_no_other_flag(
    identity: Path, status: str, found: str | None
) -> None:
    with answering(tls(identity, status), times=2) as port:
        assert find_problem(f"http://127.0.0.1:{port}/-/healthy") == found


def test_an_https_url_uses_tls(identity: Path) -> None:
    with answering(tls(identity, "200 OK")) as port:
        assert find_problem(f"https://127.0.0.1:{port}/-/healthy") is None


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_an_exporter_that_requires_a_certificate_is_healthy(identity: Path, version: str) -> None:
    with answering(tls(identity, "200 OK", asks_certificate=True, max_version=version)) as port:
        assert find_problem(f"https://127.0.0.1:{port}/-/healthy") is None


def test_an_https_url_of_a_port_without_tls_is_not_healthy() -> None:
    with answering(responding("200 OK")) as port:
        found = find_problem(f"https://127.0.0.1:{port}/-/healthy")
    assert found == "no response: WRONG_VERSION_NUMBER"


def test_an_exporter_that_hangs_is_not_healthy() -> None:
    with answering(silent) as port:
        found = find_problem(f"http://127.0.0.1:{port}/-/healthy", timeout=0.05)
    assert found == "no response within 0.05 seconds"


def test_a_port_without_an_exporter_is_not_healthy() -> None:
    with socket.socket() as unused:  # bound, so that no other program listens on its port
        unused.bind(("127.0.0.1", 0))
        found = find_problem(f"http://127.0.0.1:{unused.getsockname()[1]}/-/healthy")
    assert found == "no response: [Errno 111] Connection refused"


def test_a_server_that_closes_every_connection_is_not_healthy() -> None:
    with answering(lambda _: None, times=2) as port:
        found = find_problem(f"http://127.0.0.1:{port}/-/healthy")
    assert found
    assert found.startswith("no response: ")


@pytest.mark.parametrize(
    ("address", "prefix", "url"),
    [
        (":10086", "", "http://127.0.0.1:10086/-/healthy"),
        ("0.0.0.0:9", "/docs", "http://127.0.0.1:9/docs/-/healthy"),
        ("[::]:9", "", "http://[::1]:9/-/healthy"),
        ("[fe80::1]:9", "", "http://[fe80::1]:9/-/healthy"),
        ("localhost:9", "", "http://localhost:9/-/healthy"),
    ],
)
def test_the_url_follows_from_the_listen_address(address: str, prefix: str, url: str) -> None:
    assert local_url(address, prefix) == url


@pytest.mark.parametrize("address", ["foo", "host:", "host:port", ":99999999", "[::1:9"])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError, match="invalid address"):
        local_url(address, "")


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://x:99999/",
        "http://x:y/",
        f"http://{'a' * 80}/",
        f"https://{'a' * 80}:9/-/healthy",
    ],
)
def test_an_invalid_url_is_reported(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert run(["healthcheck", url], {}) == 1
    assert capsys.readouterr() == (f"{url}: invalid URL\n", "")


@pytest.mark.parametrize(
    ("address", "output", "errors"),
    [
        ("foo", "", 'invalid address "foo"; expected HOST:PORT\n'),
        ("a" * 80 + ":9", f"http://{'a' * 80}:9/-/healthy: invalid URL\n", ""),
    ],
)
def test_an_invalid_listen_address_is_reported(
    capsys: pytest.CaptureFixture[str], address: str, output: str, errors: str
) -> None:
    assert run(["healthcheck", f"--web.listen-address={address}"], {}) == 1
    assert capsys.readouterr() == (output, errors)


def test_the_command_uses_the_flags_of_the_server_from_the_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(responding("200 OK")) as port:
        environ = {
            "DOCUSAGE_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "DOCUSAGE_WEB_EXTERNAL_URL": "https://example.com/docusage/",
        }
        assert run(["healthcheck"], environ) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:{port}/docusage/-/healthy: healthy\n"


def test_the_command_accepts_an_address_without_a_scheme(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(responding("200 OK")) as port:
        assert run(["healthcheck", f"localhost:{port}"], {}) == 0
    assert capsys.readouterr().out == f"http://localhost:{port}/-/healthy: healthy\n"


def test_the_command_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(responding("503 Service Unavailable")) as port:
        assert run(["healthcheck", f"http://127.0.0.1:{port}/-/ready"], {}) == 1
    assert capsys.readouterr().out == f"http://127.0.0.1:{port}/-/ready: HTTP status 503\n"
