"""The public dashboard linter's rules, and the promises of our own dashboards.

Left out of the linter's rules is the one that asks for an `instance` variable and matcher: what the
dashboards show belongs to a target, whichever replica reported it, and replicas are merged.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from dashboards import FILES, GRAFANA, RATE_INTERVAL, boards, every_panel, expanded, panels
from promql import Selector, grouping_labels, selectors

from exporter.metrics.catalogue import METRICS
from grafana.generator import __main__ as generate
from grafana.generator.queries import LABELS, max_by, series

if TYPE_CHECKING:
    from pathlib import Path

    from dashboards import Json

pytestmark = pytest.mark.one_python

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BUILT_IN_PANELS = {"stat", "bargauge", "timeseries", "table", "state-timeline"}
LONGEST_TITLE = {4: 13, 5: 17, 6: 20}  # by columns, at 1000 pixels with its info icon
KINDS = {metric.name: metric.kind for metric in METRICS}
MADE_LABELS = {
    "week",
    "account_name",
    "allowance_name",
    "plan_name",
    "group_name",
}  # with label_replace


def named(value: Any) -> str:  # noqa: ANN401  whatever pytest parametrizes with
    return str(value.get("uid") or value["title"]) if isinstance(value, dict) else ""


each_board = pytest.mark.parametrize("board", boards(), ids=named)
each_panel = pytest.mark.parametrize(("board", "panel"), every_panel(), ids=named)


def found(board: Json, panel: Json) -> list[Selector]:
    expressions = [expanded(target["expr"], board) for target in panel["targets"]]
    return [selector for expression in expressions for selector in selectors(expression)]


def test_what_is_committed_is_what_the_generator_writes() -> None:
    written = generate.files()
    assert {path: (GRAFANA / path).read_text() for path in written} == dict(written)
    assert set(FILES) <= {GRAFANA / path for path in written}


def test_the_generator_writes_its_files_into_any_folder(tmp_path: Path) -> None:
    generate.main(tmp_path)
    assert (tmp_path / "dashboards/docusage-overview.json").read_text() == FILES[2].read_text()


def test_there_are_four_dashboards() -> None:
    assert [board["uid"] for board in boards()] == [
        "docusage-affinda",
        "docusage-exporter",
        "docusage-overview",
        "docusage-xtracta",
    ]


@each_board
def test_a_dashboard_fits_into_anybodys_grafana(board: Json) -> None:
    assert board.keys().isdisjoint({"id", "version", "__inputs", "__requires"})
    assert board["editable"] is False
    assert 39 <= board["schemaVersion"] <= 41
    assert (board["timezone"], board["refresh"]) == ("utc", "5m")
    assert board["tags"] == ["docusage"]
    (link,) = board["links"]
    assert (link["type"], link["asDropdown"], link["tags"]) == ("dashboards", True, ["docusage"])


@each_board
def test_the_data_source_and_the_job_are_chosen_first(board: Json) -> None:
    source, job, *others = board["templating"]["list"]
    assert (source["name"], source["label"], source["type"]) == (
        "datasource",
        "Data source",
        "datasource",
    )
    assert (job["name"], job["multi"], job["allValue"]) == ("job", True, ".+")
    assert {"target", "vendor"} <= {variable["name"] for variable in others}
    asked = [variable for variable in (job, *others) if variable["type"] == "query"]
    # Everything at once is one short pattern, not a list of all names.
    assert {variable["allValue"] for variable in asked} <= {".+", ".*"}
    for variable in asked:
        assert (variable["datasource"], variable["refresh"]) == (SOURCE, 2)


@each_board
def test_variables_ask_for_labels_that_are_there(board: Json) -> None:
    variables = board["templating"]["list"][1:]
    for variable in (one for one in variables if one["type"] == "query"):
        asked = variable["query"]["query"]
        match = re.fullmatch(r"(label_values|query_result)\((.*?)(?:, (\w+))?\)", asked)
        assert match, asked
        (selector,) = selectors(expanded(match[2], board))
        wanted = {*selector.labels, *filter(None, [match[3]])}
        assert wanted <= LABELS[selector.metric] | {"job"}


@each_board
def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: Json) -> None:
    numbers = [panel["id"] for panel in (*panels(board), *rows(board))]
    assert len(numbers) == len(set(numbers))
    for group in (board["panels"], *(row["panels"] for row in rows(board))):
        places = [panel["gridPos"] for panel in group]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        assert not any(overlap(*pair) for pair in combinations(places, 2))


def rows(board: Json) -> list[Json]:
    return [panel for panel in board["panels"] if panel["type"] == "row"]


def overlap(one: Json, other: Json) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


@each_board
def test_renewals_are_asked_for_like_everything_else(board: Json) -> None:
    for annotation in board["annotations"]["list"]:
        assert annotation["datasource"] == SOURCE
        (selector,) = selectors(expanded(annotation["expr"], board))
        assert selector.labels <= LABELS[selector.metric] | {"job"}


@each_panel
def test_a_panel_has_a_short_title_an_explanation_and_words_for_no_data(
    board: Json, panel: Json
) -> None:
    del board
    assert panel["type"] in BUILT_IN_PANELS
    assert len(panel["title"]) <= LONGEST_TITLE.get(panel["gridPos"]["w"], 25)
    assert not panel["title"].endswith("?")
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert panel["type"] != "stat" or panel["gridPos"]["h"] >= 4


@each_panel
def test_a_row_about_a_target_links_to_more_of_it(board: Json, panel: Json) -> None:
    del board
    if panel["type"] == "table" and panel["title"] != "Cost":  # its rows are currencies
        overrides = panel["fieldConfig"]["overrides"]
        links = [
            link["url"]
            for override in overrides
            for option in override["properties"]
            if option["id"] == "links"
            for link in option["value"]
        ]
        fields = panel["transformations"][1]["options"]["includeByName"]
        used = {name for url in links for name in re.findall(r"__data\.fields\.(\w+)", url)}
        assert "target" in used <= fields.keys()
        for uid in re.findall(r"/d/(docusage-\w+)", " ".join(links)):
            assert uid in {path.stem for path in FILES}


@each_panel
def test_what_is_unknown_is_never_green(board: Json, panel: Json) -> None:
    del board
    if panel["type"] in {"stat", "bargauge", "state-timeline"}:
        first = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]
        assert first["value"] is None
        assert first["color"] in {"text", "blue", "red"}


@each_panel
def test_a_chart_or_a_list_of_bars_has_a_bounded_number_of_series(board: Json, panel: Json) -> None:
    bounded = re.compile(r"(topk|bottomk)\(10, |^min|min_over_time|kind|\$plan|instance")
    if panel["type"] in {"bargauge", "timeseries", "state-timeline"}:
        for target in panel["targets"]:
            assert bounded.search(target["expr"]), (board["uid"], panel["title"])


@each_board
def test_a_dashboard_ends_with_how_to_read_it(board: Json) -> None:
    last = board["panels"][-1]
    assert (last["title"], last["collapsed"]) == ("How to read this", True)
    (text,) = last["panels"]
    assert text["type"] == "text"
    assert text["options"]["content"].startswith("- **")


@each_panel
def test_a_panel_asks_the_chosen_data_source(board: Json, panel: Json) -> None:
    del board
    assert panel["datasource"] == SOURCE
    targets = panel["targets"]
    assert [target["datasource"] for target in targets] == [SOURCE] * len(targets)
    assert len({target["refId"] for target in targets}) == len(targets) > 0


@each_panel
def test_a_panel_selects_what_the_exporter_exposes(board: Json, panel: Json) -> None:
    for selector in found(board, panel):
        chosen = {"job", "target", "vendor"} & (LABELS[selector.metric] | {"job"})
        if selector.metric == "ALERTS":
            chosen = {"job"}
        assert chosen <= selector.labels <= LABELS[selector.metric] | {"job"}


@each_panel
def test_a_query_about_targets_is_of_the_chosen_vendor(board: Json, panel: Json) -> None:
    variables = {each["name"]: each["type"] for each in board["templating"]["list"]}
    if variables["vendor"] == "query":  # else the dashboard is of one vendor
        for query in panel["targets"]:
            found = selectors(expanded(query["expr"], board))
            if any("target" in LABELS[selector.metric] for selector in found):
                assert any("vendor" in selector.labels for selector in found)


@each_panel
def test_a_panel_groups_and_names_by_labels_that_are_there(board: Json, panel: Json) -> None:
    there = {label for selector in found(board, panel) for label in LABELS[selector.metric]}
    there |= {"job", "instance", *MADE_LABELS}
    for target in panel["targets"]:
        made = set(re.findall(r'label_replace\(.*?, "(\w+)", "[^"]*", "', target["expr"]))
        assert grouping_labels(expanded(target["expr"], board)) <= there | made
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= there | made


@each_panel
def test_a_counter_is_only_shown_by_how_it_grows(board: Json, panel: Json) -> None:
    for selector in found(board, panel):
        if KINDS.get(selector.metric) == "counter":
            assert {"rate", "increase"} & set(selector.functions)


@each_panel
def test_a_rate_is_taken_over_the_interval_that_grafana_chooses(board: Json, panel: Json) -> None:
    for target in panel["targets"]:
        expression = expanded(target["expr"], board)
        taken = re.findall(r"\brate\(.*?\[(\w+)\]", expression)
        assert set(taken) <= {RATE_INTERVAL}


@each_panel
def test_money_is_never_added_up_over_currencies(board: Json, panel: Json) -> None:
    for target in panel["targets"]:
        if "price" in target["expr"]:
            assert re.match(r"(sum|max) by \([^)]*currency", target["expr"])
            assert board["uid"] != "docusage-exporter"


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("docusage_no_such_metric", ()),
        ("docusage_target_up", ("organization",)),
    ],
)
def test_a_misspelt_metric_or_label_stops_the_generator(name: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(KeyError):
        max_by(name, *labels)


def test_a_matcher_on_a_label_that_is_not_there_stops_the_generator() -> None:
    with pytest.raises(KeyError, match="docusage_target_up has no label currency"):
        series("docusage_target_up", 'currency!="EUR"')


def test_the_files_are_canonical_json() -> None:
    for path in FILES:
        text = path.read_text()
        assert json.dumps(json.loads(text), indent=2) + "\n" == text


def test_pictures_are_small() -> None:
    pictures = sorted((GRAFANA / "pictures").glob("*.png"))
    assert [path.stem for path in pictures] == ["affinda", "exporter", "overview", "xtracta"]
    assert all(path.stat().st_size < 150_000 for path in pictures)
