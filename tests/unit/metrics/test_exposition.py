"""The page parses back to what went in, as the client library would have written it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import prometheus_client
import pytest
from fake_targets import outcome, target
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_metrics import parsed
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import METRICS, target_samples
from exporter.metrics.exposition import Format, document, number, target_lines
from exporter.model import Allowance, FailureReason, PollFailure, PollOutcome, PollResult, Sample
from exporter.state.store import TargetSnapshot, TargetState
from exporter.vendors.affinda.metrics import AVAILABLE
from exporter.vendors.xtracta.metrics import PACK, PLAN

if TYPE_CHECKING:
    from collections.abc import Callable

WRITERS: dict[Format, Callable[[Collector], bytes]] = {
    Format.TEXT: prometheus_client.generate_latest,
    Format.OPENMETRICS: openmetrics.generate_latest,
}
# Any UTF-8; surrogates are none.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(min_size=1, max_size=30).filter(str.isprintable)
FIGURES = st.integers(0, 2**53) | st.floats(allow_nan=False, allow_infinity=False)
OF_VENDORS = st.sampled_from([each for each in METRICS if not each.name.startswith("docusage")])


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    metric = draw(OF_VENDORS)
    labels = tuple(draw(TEXT) for _ in metric.labels[1:])
    return Sample(metric, labels, 1 if metric.kind == "info" else draw(FIGURES))


ALLOWANCES = st.builds(
    Allowance,
    account=TEXT,
    allowance=TEXT,
    unit=st.just("credits"),
    allowed=st.integers(0, 2**53),
    used=st.integers(0, 2**53),
    available=st.integers(0, 2**53),
    burn_per_day=st.none() | st.floats(0, 1e12),
    exhaustion=st.none() | st.floats(0, 1e12),
    end=st.none() | st.floats(0, 1e12),
)
READINGS = st.builds(
    PollResult,
    st.lists(samples(), max_size=8, unique_by=lambda sample: sample[:2]).map(tuple),
    st.lists(ALLOWANCES, max_size=3, unique_by=lambda each: (each.account, each.allowance)).map(
        tuple
    ),
)
OUTCOMES = st.builds(
    PollOutcome,
    READINGS | st.builds(PollFailure, st.sampled_from(FailureReason), TEXT),
    duration=st.floats(0, 1000),
    requests=st.integers(0, 1000),
    at=st.floats(0, 2**33),
    next_at=st.floats(0, 2**33),
)


@st.composite
def snapshots(draw: st.DrawFn) -> list[TargetSnapshot]:
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    found = []
    for name in names:
        state = TargetState()
        for each in draw(st.lists(OUTCOMES, max_size=3)):
            state = state.after(each, 0)
        found.append(TargetSnapshot(target(name), state, draw(st.booleans())))
    return found


def ours(found: list[TargetSnapshot], form: Format) -> str:
    page = document(map(target_lines, found), form).decode()
    return page + "# EOF\n" * (form is Format.OPENMETRICS)


def families(found: list[TargetSnapshot]) -> list[Family]:
    """The samples of all targets in the client library's own classes."""
    known = {
        metric.name: Family(
            metric.name.removesuffix("_total").removesuffix("_info"), metric.help, metric.kind
        )
        for metric in METRICS
    }
    for snapshot in found:
        for metric, values, value in target_samples(snapshot):
            labels = dict(zip(metric.labels, (snapshot.target.name, *values), strict=True))
            known[metric.name].add_sample(metric.name, labels, value)
    return [family for family in known.values() if family.samples]


class Told(Collector):
    def __init__(self, told: list[Family]) -> None:
        self._told = told

    def collect(self) -> list[Family]:
        return self._told


def theirs(found: list[TargetSnapshot], form: Format) -> str:
    registry = CollectorRegistry()
    registry.register(Told(families(found)))
    return WRITERS[form](registry).decode()


@pytest.mark.parametrize("form", Format)
@given(snapshots())
@settings(max_examples=50)
def test_any_state_is_written_as_the_client_library_would_and_reads_as_it_was(
    form: Format, found: list[TargetSnapshot]
) -> None:
    page = parsed(ours(found, form), form)
    assert page == parsed(theirs(found, form), form)
    read = [sample for *_, of_family in page for sample in of_family]
    assert read == [
        (sample.name, sample.labels, float(sample.value))
        for family in families(found)
        for sample in family.samples
    ]


@pytest.mark.parametrize("form", Format)
def test_a_page_reads_as_the_formats_say(form: Format) -> None:
    page = ours(
        [TargetSnapshot(target('a "b" \\ é'), TargetState().after(outcome(), 0), is_stale=False)],
        form,
    )
    heads = {
        Format.TEXT: "# HELP docusage_target_polls_total Polls that ended, well or not.\n"
        "# TYPE docusage_target_polls_total counter\n",
        Format.OPENMETRICS: "# HELP docusage_target_polls Polls that ended, well or not.\n"
        "# TYPE docusage_target_polls counter\n",
    }
    line = 'docusage_target_polls_total{target="a \\"b\\" \\\\ é",vendor="acme"} 1\n'
    assert heads[form] + line in page
    assert (
        'docusage_target_last_poll_duration_seconds{target="a \\"b\\" \\\\ é",vendor="acme"} 0.25\n'
        in page
    )


@pytest.mark.parametrize("form", Format)
def test_each_head_stands_once_before_the_lines_of_every_target(form: Format) -> None:
    found = [
        TargetSnapshot(target(name), TargetState().after(outcome(), 0), is_stale=False)
        for name in "ab"
    ]
    lines = ours(found, form).splitlines()
    heads = [line for line in lines if line.startswith("# ")]
    assert len(heads) == len(set(heads))
    at = lines.index("# TYPE affinda_credits_available gauge")
    assert lines[at + 1 : at + 3] == [
        'affinda_credits_available{target="a",organization="org"} 300',
        'affinda_credits_available{target="b",organization="org"} 300',
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (300, "300"),
        (300.0, "300"),
        (0.25, "0.25"),
        (1_780_000_000.5, "1780000000.5"),
        (2**53 + 1, "9007199254740993"),
        (1e22, "1e+22"),
        (10.0, "10"),
        (True, "1"),
    ],
)
def test_a_number_is_written_without_a_needless_fraction(value: float, text: str) -> None:
    assert number(value) == text
    poll_result = PollResult((Sample(AVAILABLE, ("org",), value),))
    snapshot = TargetSnapshot(target(), TargetState(poll_result=poll_result), is_stale=False)
    assert target_lines(snapshot)["affinda_credits_available"].endswith(f" {text}\n")


def test_metrics_whose_labels_have_the_same_values_keep_the_names_of_their_own() -> None:
    values = ("7", "8")
    poll_result = PollResult((Sample(PLAN["used"], values, 1), Sample(PACK["used"], values, 2)))
    lines = target_lines(
        TargetSnapshot(target(), TargetState(poll_result=poll_result), is_stale=False)
    )
    plan, pack = lines["xtracta_documents_used"], lines["xtracta_pack_documents_used"]
    assert plan == 'xtracta_documents_used{target="one",group_id="7",plan_id="8"} 1\n'
    assert pack == 'xtracta_pack_documents_used{target="one",group_id="7",pack_id="8"} 2\n'
