"""A vendor of an installed plug-in is polled, exposed, shown, probed and backfilled."""

from __future__ import annotations

import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from exporter_process import done, running, until
from plugin import install_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
REFUSED = (
    "does not declare which fields identify; capture without --anonymize, or name other targets\n"
)


class Folio(BaseHTTPRequestHandler):
    """The made-up vendor's API."""

    def do_GET(self) -> None:
        body = json.dumps({"used": 3 if self.path == "/pages" else 2, "allowed": 10}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A configuration with a target of the plug-in's vendor."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Folio) as server:
        threading.Thread(target=server.serve_forever).start()
        path = tmp_path / "config.yaml"
        path.write_text(f"""
targets:
  - name: acme
    vendor: folio
    base_url: http://127.0.0.1:{server.server_port}
    account: acc1
    api_key: made-up-key-1
""")
        yield path
        server.shutdown()


def test_a_probe_of_a_plugins_vendor_is_captured_and_replayed(tmp_path: Path, config: Path) -> None:
    install_plugin(tmp_path)
    path, capture = str(tmp_path), tmp_path / "capture"
    flags = (f"--config.file={config}", "--format=json")
    status, live, _ = done("probe", *flags, f"--capture={capture}", PYTHONPATH=path)
    assert (status, json.loads(live)["targets"][0]["allowances"][0]["used"]) == (0, 3)
    assert done("probe", f"--replay={capture}", "--format=json", PYTHONPATH=path)[1] == live
    anonymous = (f"--replay={capture}", f"--capture={tmp_path / 'other'}", "--anonymize")
    assert done("probe", *anonymous, PYTHONPATH=path) == (
        1,
        "",
        f"target acme: the vendor folio {REFUSED}",
    )
    assert not (tmp_path / "other").exists()


def test_a_plugins_vendor_is_polled_exposed_and_shown(tmp_path: Path, config: Path) -> None:
    install_plugin(tmp_path)
    flags = (f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
    with running(tmp_path, *flags, environ={"PYTHONPATH": str(tmp_path)}) as program:
        until(lambda: program.values().get("docusage_target_up acme folio") == 1)
        found = program.values()
        assert found["folio_pages_used acme acc1"] == 3
        assert found["docusage_allowance_available_ratio acme folio acc1 pages"] == 0.7
        page = program.ask("/").text
    assert "Folio Ltd (acc1)" in page
    assert "7 of 10 pages" in page


def test_a_plugins_vendor_is_probed(tmp_path: Path, config: Path) -> None:
    install_plugin(tmp_path)
    status, out, err = done("probe", f"--config.file={config}", PYTHONPATH=str(tmp_path))
    assert (status, err) == (0, "")
    assert out.splitlines()[1].startswith(
        "acme    Folio Ltd (acc1)  pages         7  10 pages  70 "
    )


def test_a_plugins_vendor_is_backfilled(tmp_path: Path, config: Path) -> None:
    install_plugin(tmp_path)
    output = tmp_path / "past.om"
    days = ("--start=2026-01-30", "--end=2026-01-31", "--step=1d", f"--output={output}")
    status, _, _ = done("backfill", f"--config.file={config}", *days, PYTHONPATH=str(tmp_path))
    assert status == 0
    lines = output.read_text().splitlines()
    assert [line for line in lines if line.startswith("folio")] == [
        'folio_pages_used{target="acme",account="acc1"} 2 1769817599',
        'folio_pages_used{target="acme",account="acc1"} 2 1769903999',
    ]


def test_a_plugins_vendor_is_reported(tmp_path: Path, config: Path) -> None:
    install_plugin(tmp_path)
    days = ("--from=2026-01-30", "--to=2026-02-01", "--by=day")
    status, out, err = done("report", f"--config.file={config}", *days, PYTHONPATH=str(tmp_path))
    assert (status, err) == (0, "")
    assert (
        out
        == """\
Usage from 2026-01-30 to 2026-02-01 (ends are exclusive, UTC)

acme: Folio Ltd (acc1)
DAY             PAGES    SHARE      COST
2026-01-30 Fri      2   50.0 %  0.03 EUR
2026-01-31 Sat      2   50.0 %  0.03 EUR
Total               4  100.0 %  0.06 EUR

PERIOD                                     ALLOWED  USED  UNUSED     PRICE  PER UNIT
pack Pages (p1), 2026-01-30 to 2026-02-01       10     4       6  0.15 EUR    0.0375

TOTAL
pages used                                      4
cost of the usage                            0.06  EUR
purchased (periods that begin in the range)  0.15  EUR
"""
    )
    flags = (*days, "--format=focus", "--invoice-id=acme=INV-1")
    status, out, err = done("report", f"--config.file={config}", *flags, PYTHONPATH=str(tmp_path))
    assert (status, err) == (0, "")
    found = [
        (row["ServiceName"], row["ChargeCategory"], row["EffectiveCost"], row["SkuId"])
        for row in csv.DictReader(out.splitlines())
    ]
    assert found == [
        *[("Folio", "Usage", "0.03", "folio-pages")] * 2,
        ("Folio", "Purchase", "0.00", "p1"),
    ]


def test_a_vendor_without_past_usage_is_an_error_of_a_backfill(
    tmp_path: Path, config: Path
) -> None:
    install_plugin(tmp_path)
    module = tmp_path / "folio_usage.py"
    module.write_text(module.read_text().replace(", History(read, to_results, to_usage)", ", None"))
    flags = (f"--config.file={config}", "--start=2026-01-30", f"--output={tmp_path / 'past.om'}")
    status, _, err = done("backfill", *flags, PYTHONPATH=str(tmp_path))
    assert status != 0
    assert "the vendor has no API for past usage: acme" in err


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("folio", "folio_usage:NOTHING", "cannot be loaded: AttributeError: "),
        ("affinda", "folio_usage:VENDOR", "another vendor has this name"),
    ],
)
def test_a_broken_plugin_is_an_error_of_the_configuration(
    tmp_path: Path, config: Path, name: str, value: str, reason: str
) -> None:
    install_plugin(tmp_path, name=name, value=value)
    status, out, err = done("check", f"--config.file={config}", PYTHONPATH=str(tmp_path))
    assert (status, out) == (1, "")
    assert f"{config}: vendor plug-in {name} ({value}): {reason}" in err
    assert "Traceback" not in err
