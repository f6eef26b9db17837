"""Figures as text: no digit is lost."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from past_usages import PLAN, moment

from exporter.past_usage import Money, exact_sum
from exporter.reports import text


@pytest.mark.parametrize(
    ("amount", "exact", "decimal", "people"),
    [
        ("0", "0", "0.00", "0.00"),
        ("1E-8", "0.00000001", "0.00000001", "0.00000001"),
        ("1E+3", "1000", "1000.00", "1,000.00"),
        ("1234567.5", "1234567.5", "1234567.50", "1,234,567.50"),
        ("-0.0375", "-0.0375", "-0.0375", "-0.0375"),
        ("2.5000", "2.5000", "2.50", "2.50"),
        ("2.12500", "2.12500", "2.125", "2.125"),
    ],
)
def test_an_amount_has_all_its_digits_and_no_exponent(
    amount: str, exact: str, decimal: str, people: str
) -> None:
    value = Decimal(amount)
    found = (text.exact(value), text.decimal_text(value), text.for_people(value))
    assert found == (exact, decimal, people)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=20, min_value=-(10**30), max_value=10**30
    )
)
def test_text_is_the_amount(amount: Decimal) -> None:
    assert Decimal(text.exact(amount)) == amount
    assert Decimal(text.decimal_text(amount)) == amount
    assert Decimal(text.for_people(amount).replace(",", "")) == amount
    assert "E" not in text.decimal_text(amount)


@given(
    st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=10, max_value=10**20, min_value=0)
    )
)
def test_a_sum_is_exact_in_any_order(amounts: list[Decimal]) -> None:
    assert exact_sum(amounts) == exact_sum(reversed(amounts))
    context = Context(prec=50)
    scaled = sum(int(amount.scaleb(10, context)) for amount in amounts)
    assert exact_sum(amounts) == Decimal(scaled).scaleb(-10, context)


def test_a_price_times_a_count_is_exact() -> None:
    price = Money(Decimal("0.12345678901234567"), "EUR")
    digits = 12345678901234567 * 9_007_199_254_740_993
    assert price.times(9_007_199_254_740_993).amount == Decimal(digits).scaleb(
        -17, Context(prec=50)
    )


@pytest.mark.parametrize(
    ("dividend", "divisor", "places", "expected"),
    [
        (1, 3, 4, "0.3333"),
        (2, 3, 4, "0.6667"),
        (1, 8, 2, "0.12"),
        (3, 8, 2, "0.38"),
        (-1, 4, 1, "-0.2"),
    ],
)
def test_a_quotient_is_rounded_half_to_even(
    dividend: int, divisor: int, places: int, expected: str
) -> None:
    assert str(text.quotient(dividend, divisor, places)) == expected


def test_a_share_of_nothing_is_empty() -> None:
    assert (text.share(1, 4), text.share(0, 0)) == ("0.2500", "")


def test_money_names_its_currency() -> None:
    assert (text.money(Money(Decimal(1050), "EUR")), text.money(None)) == ("1,050.00 EUR", "-")


def test_a_moment_shows_its_time_only_where_it_is_not_midnight() -> None:
    day, time = moment(2026, 10, 31), moment(2026, 10, 31, 10, 13, 5)
    assert [text.moment(each) for each in (day, time, None)] == [
        *("2026-10-31", "2026-10-31 10:13", "?"),
    ]
    assert [text.iso(each) for each in (day, time, None)] == [
        *("2026-10-31", "2026-10-31T10:13:05Z", ""),
    ]


def test_a_name_stands_before_its_identifier() -> None:
    assert (text.name_of("Acme", "oRg1"), text.name_of("", "oRg1")) == ("Acme (oRg1)", "oRg1")


def test_the_price_of_a_used_unit_needs_a_price_and_a_use() -> None:
    assert text.price_per_used(PLAN) == Decimal("0.166667")
