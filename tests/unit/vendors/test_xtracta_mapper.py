"""Xtracta's plans and packs as metrics and allowances, with literal figures."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from vendor_calls import series

from exporter.model import Allowance, Anomaly
from exporter.vendors.xtracta.api import Figures, Group, Plan, Usage
from exporter.vendors.xtracta.mapper import NOTHING_EARLIER, EarlierPeriods, poll_result
from exporter.vendors.xtracta.metrics import METRICS
from exporter.vendors.xtracta.periods import PreviousPeriod

DAY = 86_400.0
START = 1_700_000_000.0
YEARLY = Plan(
    kind="plan",
    group="481",
    identifier="71",
    name="Yearly",
    resources={"documents": Figures(1000, 300, 700)},
    price=Decimal("4900.5"),
    currency="NZD",
    start=START,
    expiry=START + 365 * DAY,
)
PACK = YEARLY._replace(
    kind="pack",
    identifier="73",
    name="Booster",
    resources={"documents": Figures(200, 20, 180)},
)


def allowances(
    *plans: Plan, days: float, past: EarlierPeriods = NOTHING_EARLIER
) -> dict[str, Allowance]:
    """By name, some days after the start."""
    now = START + days * DAY
    found = poll_result({None: Usage(plans, ())}, {}, now, (), past).allowances
    return {allowance.allowance: allowance for allowance in found}


def test_every_figure_of_a_plan_and_a_pack_is_a_metric() -> None:
    found = poll_result({None: Usage((YEARLY, PACK), ())}, {"481": Group("Head", "480")}, START)
    assert series(found) == {
        "xtracta_documents_allowed{481,71}": 1000,
        "xtracta_documents_used{481,71}": 300,
        "xtracta_documents_available{481,71}": 700,
        "xtracta_plan_price{481,71,NZD}": 4900.5,
        "xtracta_plan_start_timestamp_seconds{481,71}": 1_700_000_000,
        "xtracta_plan_expiry_timestamp_seconds{481,71}": 1_731_536_000,
        "xtracta_plan_info{481,71,Yearly}": 1,
        "xtracta_pack_documents_allowed{481,73}": 200,
        "xtracta_pack_documents_used{481,73}": 20,
        "xtracta_pack_documents_available{481,73}": 180,
        "xtracta_pack_price{481,73,NZD}": 4900.5,
        "xtracta_group_info{481,Head,480}": 1,
    }


def test_what_the_vendor_leaves_out_is_absent() -> None:
    bare = YEARLY._replace(price=None, currency="", start=None, expiry=None, name="")
    found = poll_result({None: Usage((bare,), ())}, {}, START)
    assert series(found) == {
        "xtracta_documents_allowed{481,71}": 1000,
        "xtracta_documents_used{481,71}": 300,
        "xtracta_documents_available{481,71}": 700,
        "xtracta_plan_info{481,71,}": 1,
    }
    (left,) = found.allowances
    assert (left.burn_per_day, left.exhaustion, left.end) == (None, None, None)


@pytest.mark.parametrize(("price", "currency"), [(Decimal(5), ""), (None, "NZD")])
def test_a_price_without_a_currency_is_absent(price: Decimal | None, currency: str) -> None:
    plan = YEARLY._replace(price=price, currency=currency)
    assert not any(
        "price" in name for name in series(poll_result({None: Usage((plan,), ())}, {}, 0))
    )


def test_a_plan_runs_out_at_its_mean_use_since_its_start() -> None:
    # 300 in 30 days: 10 a day; 700 are left: 70 days
    (left,) = allowances(YEARLY, days=30).values()
    assert left.burn_per_day == pytest.approx(10)
    assert left.exhaustion == pytest.approx(START + 100 * DAY)
    assert left.projected_used == pytest.approx(3650)
    assert left.exhaustion_earliest == pytest.approx(START + 84 * DAY, abs=5 * DAY)
    assert left.exhaustion_latest == pytest.approx(START + 116 * DAY, abs=5 * DAY)
    without_forecast = replace(
        left,
        burn_per_day=None,
        exhaustion=None,
        exhaustion_earliest=None,
        exhaustion_latest=None,
        projected_used=None,
    )
    assert without_forecast == Allowance(
        account="481",
        allowance="71",
        unit="documents",
        allowance_name="Yearly",
        allowed=1000,
        used=300,
        available=700,
        start=START,
        end=START + 365 * DAY,
        cumulative_only=True,
    )


def test_a_plan_one_hour_old_counts_its_first_day_as_a_whole_one() -> None:
    plan = YEARLY._replace(resources={"documents": Figures(1000, 5, 995)})
    left = allowances(plan, days=1 / 24)["71"]
    assert left.burn_per_day == pytest.approx(5.0)
    assert left.exhaustion == pytest.approx(START + 199 * DAY + 3600)


def test_a_plan_that_begins_later_has_no_mean_use() -> None:
    left = allowances(YEARLY, days=-1)["71"]
    assert (left.burn_per_day, left.exhaustion) == (None, None)


def test_a_plan_without_use_never_runs_out() -> None:
    plan = YEARLY._replace(resources={"documents": Figures(1000, 0, 1000)})
    left = allowances(plan, days=30)["71"]
    assert (left.burn_per_day, left.exhaustion, left.projected_used) == (0.0, None, 0.0)


def test_a_used_up_plan_is_exhausted_since_today_where_no_earlier_day_was_observed() -> None:
    plan = YEARLY._replace(resources={"documents": Figures(300, 300, 0)})
    left = allowances(plan, days=30)["71"]
    midnight = 1_702_512_000.0  # 2023-12-14
    assert (left.ratio, left.exhaustion) == (0.0, midnight)


@pytest.mark.parametrize("used", [0, 37])
def test_a_plan_of_0_documents_has_no_ratio_and_is_not_exhausted(used: int) -> None:
    plan = YEARLY._replace(resources={"documents": Figures(0, used, 0)})
    left = allowances(plan, days=30)["71"]
    assert (left.allowed, left.used, left.available) == (0, used, 0)
    assert (left.ratio, left.exhaustion) == (None, None)


def documents(figures: Figures) -> tuple[dict[str, float], Allowance]:
    """The documents' samples by figure, and the allowance, of a plan after 30 days."""
    plan = YEARLY._replace(resources={"documents": figures})
    found = poll_result({None: Usage((plan,))}, {}, START + 30 * DAY)
    prefix = "xtracta_documents_"
    samples = {
        name.removeprefix(prefix).removesuffix("{481,71}"): value
        for name, value in series(found).items()
        if name.startswith(prefix)
    }
    (left,) = found.allowances
    return samples, left


def test_an_unlimited_plan_has_its_use_and_no_ratio() -> None:
    samples, left = documents(Figures(None, 300, None))
    assert samples == {"used": 300}
    assert (left.allowed, left.used, left.available) == (None, 300, None)
    assert (left.ratio, left.exhaustion) == (None, None)
    assert left.burn_per_day == pytest.approx(10)


def test_an_unknown_allowed_costs_the_ratio_alone() -> None:
    samples, left = documents(Figures(None, 300, 700))
    assert samples == {"used": 300, "available": 700}
    assert (left.ratio, left.available) == (None, 700)
    assert left.exhaustion == pytest.approx(START + 100 * DAY)


def test_an_unknown_use_costs_the_mean_use_and_what_follows_from_it() -> None:
    samples, left = documents(Figures(1000, None, 700))
    assert samples == {"allowed": 1000, "available": 700}
    assert (left.ratio, left.used, left.burn_per_day, left.exhaustion) == (0.7, None, None, None)


def test_an_unknown_available_is_what_is_allowed_less_what_is_used() -> None:
    samples, left = documents(Figures(1000, 300, None))
    assert samples == {"allowed": 1000, "used": 300}
    assert left.ratio == 0.7
    assert left.exhaustion == pytest.approx(START + 100 * DAY)
    assert documents(Figures(1000, 1200, None))[1].available == 0


def test_other_resources_have_metrics_and_allowances_of_their_own() -> None:
    figures = {"documents": Figures(1000, 300, 700), "pages": Figures(500, 100, 400)}
    plan, pack = YEARLY._replace(resources=figures), PACK._replace(identifier="71")
    pack = pack._replace(resources={"pages": Figures(50, 10, 40)})
    found = poll_result({None: Usage((plan, pack))}, {}, START + 30 * DAY)
    assert {name: value for name, value in series(found).items() if "resource" in name} == {
        "xtracta_resource_allowed{481,71,pages}": 500,
        "xtracta_resource_used{481,71,pages}": 100,
        "xtracta_resource_available{481,71,pages}": 400,
        "xtracta_resource_allowed{481,pack-71,pages}": 50,
        "xtracta_resource_used{481,pack-71,pages}": 10,
        "xtracta_resource_available{481,pack-71,pages}": 40,
    }
    assert [(left.allowance, left.allowance_name, left.unit) for left in found.allowances] == [
        ("71", "Yearly", "documents"),
        ("71-pages", "Yearly pages", "pages"),
        ("pack-71-pages", "Booster pages", "pages"),
    ]


def test_an_expired_plan_keeps_its_mean_use_and_is_never_exhausted() -> None:
    left = allowances(YEARLY, days=400)["71"]
    assert left.burn_per_day == pytest.approx(300 / 365)
    assert (left.available, left.exhaustion, left.projected_used) == (700, None, 300)


def test_plans_renew_where_configured_and_packs_never() -> None:
    found = allowances(YEARLY, PACK, days=1, past=EarlierPeriods(renews=True))
    assert {name: left.renews for name, left in found.items()} == {"71": True, "73": False}
    assert not allowances(YEARLY, days=1)["71"].renews


def test_a_plan_whose_past_shows_it_renews_and_goes_on_at_its_pace() -> None:
    before = PreviousPeriod(START - 365 * DAY, {"documents": 3650}, renewed=True)
    plan = YEARLY._replace(resources={"documents": Figures(4000, 0, 4000)})
    pack = PACK._replace(identifier="71")
    found = allowances(plan, pack, days=0, past=EarlierPeriods({("481", "71"): before}))
    left = found["71"]
    assert (left.renews, left.previous_start, left.previous_used) == (
        True,
        START - 365 * DAY,
        3650,
    )
    assert left.burn_per_day == pytest.approx(10)
    assert left.exhaustion == pytest.approx(START + 400 * DAY)
    assert left.projected_used == pytest.approx(3650)
    assert (found["pack-71"].renews, found["pack-71"].previous_start) == (False, None)


def test_a_plan_whose_past_was_another_length_is_not_known_to_renew() -> None:
    before = PreviousPeriod(START - 14 * DAY, {}, renewed=False)
    left = allowances(YEARLY, days=1, past=EarlierPeriods({("481", "71"): before}))["71"]
    assert (left.renews, left.previous_used) == (False, None)


def test_the_allowance_of_a_pack_with_the_id_of_a_plan_has_a_prefix() -> None:
    pack = PACK._replace(identifier="71")
    assert sorted(allowances(YEARLY, pack, days=1)) == ["71", "pack-71"]
    assert sorted(allowances(pack, days=1)) == ["71"]
    assert sorted(allowances(YEARLY, pack._replace(group="482"), days=1)) == ["71"]


def test_a_group_without_a_plan_has_no_series() -> None:
    found = poll_result({456: Usage((), ()), 481: Usage((YEARLY,), ())}, {"456": Group("x", "")}, 0)
    assert not any("group_info" in name for name in series(found))
    assert len(found.allowances) == 1


def test_the_anomalies_of_all_responses_are_counted() -> None:
    anomalies = (Anomaly.UNKNOWN_FIELD,)
    usages: dict[int | None, Usage] = {
        456: Usage((YEARLY._replace(group="456"),), anomalies),
        457: Usage((YEARLY._replace(group="457"),), anomalies),
    }
    assert poll_result(usages, {}, START).anomalies == anomalies * 2


def test_the_catalogue_names_no_metric_twice() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names) == 15


def test_a_field_that_cannot_be_read_is_named_with_its_group() -> None:
    usage = Usage((YEARLY,), (), ("price of plan 71", "start_date of plan 71"))
    assert poll_result({481: usage}, {}, START).notes == (
        "group 481: cannot read price of plan 71, start_date of plan 71",
    )
