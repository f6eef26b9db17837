"""The page parses back to what went in, as the client library would have written it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import prometheus_client
import pytest
from fake_targets import outcome, target
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from parsed_metrics import parsed
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import METRICS, target_samples
from exporter.metrics.exposition import Format, format_value, render, sample_lines, target_lines
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
# Any text that UTF-8 can encode, which surrogates are not.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(min_size=1, max_size=30).filter(str.isprintable)
FIGURES = st.integers(0, 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VENDOR_METRICS = st.sampled_from([each for each in METRICS if not each.name.startswith("docusage")])


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    metric = draw(VENDOR_METRICS)
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
    exhaustion_earliest=st.none() | st.floats(0, 1e12),
    exhaustion_latest=st.none() | st.floats(0, 1e12),
    projected_used=st.none() | st.floats(0, 1e12),
    renews=st.booleans(),
    end=st.none() | st.floats(0, 1e12),
)
RESULTS = st.builds(
    PollResult,
    st.lists(samples(), max_size=8, unique_by=lambda sample: sample[:2]).map(tuple),
    st.lists(ALLOWANCES, max_size=3, unique_by=lambda each: (each.account, each.allowance)).map(
        tuple
    ),
)
OUTCOMES = st.builds(
    PollOutcome,
    RESULTS | st.builds(PollFailure, st.sampled_from(FailureReason), TEXT),
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
    page = render(map(target_lines, found), form).decode()
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


class Fixed(Collector):
    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> list[Family]:
        return self._families


def theirs(found: list[TargetSnapshot], form: Format) -> str:
    registry = CollectorRegistry()
    registry.register(Fixed(families(found)))
    return WRITERS[form](registry).decode()


@pytest.mark.parametrize("form", Format)
@given(snapshots())
@examples(20)
def test_any_state_parses_back_to_itself_and_equals_what_the_client_library_writes(
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
def test_a_page_has_the_metadata_of_its_format(form: Format) -> None:
    page = ours(
        [TargetSnapshot(target('a "b" \\ é'), TargetState().after(outcome(), 0), is_stale=False)],
        form,
    )
    metadata = {
        Format.TEXT: "# HELP docusage_target_polls_total Polls, successful or not.\n"
        "# TYPE docusage_target_polls_total counter\n",
        Format.OPENMETRICS: "# HELP docusage_target_polls Polls, successful or not.\n"
        "# TYPE docusage_target_polls counter\n",
    }
    line = 'docusage_target_polls_total{target="a \\"b\\" \\\\ é",vendor="acme"} 1\n'
    assert metadata[form] + line in page
    assert (
        'docusage_target_last_poll_duration_seconds{target="a \\"b\\" \\\\ é",vendor="acme"} 0.25\n'
        in page
    )


@pytest.mark.parametrize("form", Format)
def test_metadata_stands_once_before_the_lines_of_all_targets(form: Format) -> None:
    found = [
        TargetSnapshot(target(name), TargetState().after(outcome(), 0), is_stale=False)
        for name in "ab"
    ]
    lines = ours(found, form).splitlines()
    metadata = [line for line in lines if line.startswith("# ")]
    assert len(metadata) == len(set(metadata))
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
def test_a_value_is_formatted_exactly_and_an_integer_without_a_fraction(
    value: float, text: str
) -> None:
    assert format_value(value) == text
    assert lines_of(Sample(AVAILABLE, ("org",), value))[0].endswith(f" {text}")


def lines_of(*samples: Sample) -> list[str]:
    """The lines of these samples of target `one`."""
    return b"".join(sample_lines(samples, "one")).decode().splitlines()


def test_metrics_with_equal_label_values_keep_their_own_label_names() -> None:
    values = ("7", "8")
    assert lines_of(Sample(PLAN["used"], values, 1), Sample(PACK["used"], values, 2)) == [
        'xtracta_documents_used{target="one",group_id="7",plan_id="8"} 1',
        'xtracta_pack_documents_used{target="one",group_id="7",pack_id="8"} 2',
    ]


def test_lines_are_in_the_catalogue_s_order_whatever_the_order_of_the_samples() -> None:
    samples = [Sample(PACK["used"], ("7", "8"), 2), Sample(PLAN["used"], ("7", "8"), 1)]
    assert lines_of(*samples) == lines_of(*reversed(samples))


@pytest.mark.parametrize("form", Format)
def test_a_page_of_no_targets_is_empty(form: Format) -> None:
    assert render([], form) == b""
