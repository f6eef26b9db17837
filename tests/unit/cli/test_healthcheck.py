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

from exporter.cli.healthcheck import local_url, problem
from exporter.cli.main import run
from exporter.server.sockets import AddressError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that nobody signed, made anew."""
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=nobody"
    where = ("-keyout", str(path), "-out", str(path.with_suffix(".crt")))
    subprocess.run([program("openssl"), *command.split(), *where], check=True, capture_output=True)  # noqa: S603  openssl with our own words
    with path.open("a", encoding="utf-8") as file:
        file.write(path.with_suffix(".crt").read_text(encoding="utf-8"))
    return path


@contextmanager
def answering(answer: Callable[[socket.socket], None], times: int = 1) -> Iterator[int]:
    """A port on which connections are answered; the answers run in a thread."""
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


def replying(status: str) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


def tls(
    identity: Path, status: str, *, asks_certificate: bool = False, most: str = "TLSv1_3"
) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion[most]
    context.load_cert_chain(identity)
    if asks_certificate:
        context.verify_mode = ssl.CERT_REQUIRED

    def answer(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                replying(status)(secure)
        except ssl.SSLError:
            return  # as a server does when it is spoken to in plain HTTP

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
def test_the_status_tells_whether_it_is_healthy(status: str, found: str | None) -> None:
    with answering(replying(status)) as port:
        assert problem(f"http://127.0.0.1:{port}/-/healthy") == found


@pytest.mark.parametrize(
    ("status", "found"), [("200 OK", None), ("500 Internal Server Error", "HTTP status 500")]
)
def test_an_exporter_behind_tls_needs_no_other_flag(
    identity: Path, status: str, found: str | None
) -> None:
    with answering(tls(identity, status), times=2) as port:
        assert problem(f"http://127.0.0.1:{port}/-/healthy") == found


def test_a_url_may_ask_for_tls(identity: Path) -> None:
    with answering(tls(identity, "200 OK")) as port:
        assert problem(f"https://127.0.0.1:{port}/-/healthy") is None


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_an_exporter_that_wants_a_certificate_has_answered(identity: Path, version: str) -> None:
    with answering(tls(identity, "200 OK", asks_certificate=True, most=version)) as port:
        assert problem(f"https://127.0.0.1:{port}/-/healthy") is None


def test_a_tls_port_that_speaks_something_else_is_no_answer() -> None:
    with answering(replying("200 OK")) as port:
        found = problem(f"https://127.0.0.1:{port}/-/healthy")
    assert found == "no answer: WRONG_VERSION_NUMBER"


def test_an_exporter_that_hangs_is_not_healthy() -> None:
    with answering(silent) as port:
        found = problem(f"http://127.0.0.1:{port}/-/healthy", timeout=0.05)
    assert found == "no answer within 0.05 seconds"


def test_a_port_without_an_exporter_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = problem(f"http://127.0.0.1:{port}/-/healthy")
    assert found == "no answer: [Errno 111] Connection refused"


def test_what_closes_every_connection_is_not_healthy() -> None:
    with answering(lambda _: None, times=2) as port:
        found = problem(f"http://127.0.0.1:{port}/-/healthy")
    assert found
    assert found.startswith("no answer: ")


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
def test_the_listen_address_tells_where_to_ask(address: str, prefix: str, url: str) -> None:
    assert local_url(address, prefix) == url


@pytest.mark.parametrize("address", ["foo", "host:", "host:port", ":99999999", "[::1:9"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    with pytest.raises(AddressError, match="is no address to ask at"):
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
def test_what_is_no_url_is_said_to_be_none(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert run(["healthcheck", url], {}) == 1
    assert capsys.readouterr() == (f"{url}: that is no URL to ask\n", "")


@pytest.mark.parametrize(
    ("address", "output", "errors"),
    [
        ("foo", "", "'foo' is no address to ask at\n"),
        ("a" * 80 + ":9", f"http://{'a' * 80}:9/-/healthy: that is no URL to ask\n", ""),
    ],
)
def test_a_listen_address_that_cannot_be_asked_at_is_said_in_words(
    capsys: pytest.CaptureFixture[str], address: str, output: str, errors: str
) -> None:
    assert run(["healthcheck", f"--web.listen-address={address}"], {}) == 1
    assert capsys.readouterr() == (output, errors)


def test_the_command_asks_where_the_environment_says(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(replying("200 OK")) as port:
        environ = {
            "DOCUSAGE_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "DOCUSAGE_WEB_EXTERNAL_URL": "https://example.com/docusage/",
        }
        assert run(["healthcheck"], environ) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:{port}/docusage/-/healthy: healthy\n"


def test_the_command_asks_at_an_address_that_is_given_without_a_scheme(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(replying("200 OK")) as port:
        assert run(["healthcheck", f"localhost:{port}"], {}) == 0
    assert capsys.readouterr().out == f"http://localhost:{port}/-/healthy: healthy\n"


def test_the_command_fails_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(replying("503 Service Unavailable")) as port:
        assert run(["healthcheck", f"http://127.0.0.1:{port}/-/ready"], {}) == 1
    assert capsys.readouterr().out == f"http://127.0.0.1:{port}/-/ready: HTTP status 503\n"
