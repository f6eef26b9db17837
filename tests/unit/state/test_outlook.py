"""What is left and for how long, as sentences."""

from __future__ import annotations

from typing import Any

import pytest
from fake_targets import allowance

from exporter.state.outlook import format_day, format_outlook

NOW = 1_795_046_400.0  # Thursday, 19 November 2026
DAY = 86_400
END = NOW + 12 * DAY  # Tuesday, 1 December
LEFT = "300 of 1,000 credits are left (30 %)."


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"exhaustion": NOW + 6.4 * DAY, "projected_used": 3134},
            (
                f"{LEFT} At the current rate they run out on Wed 25 Nov 2026, 6 days before the "
                "period ends; about 2,100 credits short."
            ),
        ),
        (
            {"exhaustion": NOW + 11 * DAY, "projected_used": 1009.6},
            (
                f"{LEFT} At the current rate they run out on Mon 30 Nov 2026, 1 day before the "
                "period ends; about 10 credits short."
            ),
        ),
        (
            {"exhaustion": NOW + 11.8 * DAY, "projected_used": 1000},
            (
                f"{LEFT} At the current rate they run out on Mon 30 Nov 2026, less than a day "
                "before the period ends."
            ),
        ),
        (
            {"exhaustion": NOW - DAY, "projected_used": 1000.2},
            (
                f"{LEFT} At the current rate they run out on Thu 19 Nov 2026, 13 days before the "
                "period ends; less than one of the credits short."
            ),
        ),
        (
            {"exhaustion": NOW + 40 * DAY, "projected_used": 913},
            (
                f"{LEFT} At the current rate about 87 credits are left when the period ends on Tue "
                "1 Dec 2026."
            ),
        ),
        (
            {"exhaustion": NOW + 5000 * DAY, "end": NOW + 4000 * DAY, "projected_used": 1000},
            (
                f"{LEFT} At the current rate none of the credits are left when the period ends in "
                "over 10 years."
            ),
        ),
        (
            {"exhaustion": NOW + 40 * DAY, "end": None},
            f"{LEFT} At the current rate they run out on Tue 29 Dec 2026.",
        ),
        (
            {"exhaustion": None, "burn_per_day": None},
            f"{LEFT} When they run out is unknown: too few daily figures are known.",
        ),
        (
            {"exhaustion": None, "burn_per_day": 0.0},
            f"{LEFT} Nothing was used lately, so they are not expected to run out.",
        ),
        ({"end": NOW - DAY}, f"{LEFT} The period ended on Wed 18 Nov 2026."),
        ({"end": 1.0}, f"{LEFT} The period ended over 10 years ago."),
        (
            {"available": 0, "exhaustion": NOW - 3 * DAY, "projected_used": 1234},
            (
                "All 1,000 credits are used up since Mon 16 Nov 2026. The period ends on Tue 1 Dec "
                "2026; about 230 credits short."
            ),
        ),
        ({"available": 0, "exhaustion": None, "end": None}, "All 1,000 credits are used up."),
        (
            {"available": 1, "exhaustion": None, "burn_per_day": 0.0},
            (
                "1 of 1,000 credits is left (<1 %). Nothing was used lately, so they are not "
                "expected to run out."
            ),
        ),
        ({"allowed": None, "available": None}, "credits: 700 used."),
    ],
)
def test_an_outlook_says_what_is_left_and_how_long_it_lasts(
    fields: dict[str, Any], text: str
) -> None:
    assert format_outlook(allowance({"end": END} | fields), NOW) == text


def test_a_day_has_its_weekday() -> None:
    assert format_day(NOW) == "Thu 19 Nov 2026"
