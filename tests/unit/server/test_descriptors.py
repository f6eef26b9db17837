"""How file descriptors are shared out."""

from __future__ import annotations

import pytest

from exporter.web.descriptors import for_calls, for_connections, limit


@pytest.mark.parametrize(
    ("descriptors", "connections", "calls"),
    [
        (64, 32, 16),
        (256, 128, 112),
        (1024, 512, 496),
        (20_000, 1000, 18_984),
        (None, 1000, None),
        (20, 10, 1),
    ],
)
def test_connections_have_half_and_calls_the_rest(
    descriptors: int | None, connections: int, calls: int | None
) -> None:
    assert for_connections(descriptors) == connections
    assert for_calls(descriptors) == calls


@pytest.mark.parametrize(("said", "descriptors"), [(1024, 1024), (-1, None)])
def test_the_limit_is_the_one_that_holds_now(said: int, descriptors: int | None) -> None:
    assert limit(lambda _: (said, said)) == descriptors
