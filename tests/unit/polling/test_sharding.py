from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.main import run
from exporter.polling.sharding import Shard, ShardError, shard_index

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
COUNTS = st.integers(1, 200)
THOUSAND = [f"target-{number}" for number in range(1000)]


@pytest.mark.parametrize(
    ("text", "shard"),
    [
        ("0/1", Shard(0, 1)),
        ("3/4", Shard(3, 4)),
        ("999/1000", Shard(999, 1000)),
        ("docusage-exporter-3/4", Shard(3, 4)),
        ("a.b-0/2", Shard(0, 2)),
    ],
)
def test_a_shard_is_parsed_from_its_index_or_its_pod_name(text: str, shard: Shard) -> None:
    assert Shard.parse(text) == shard


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "4/4",
        "0/0",
        "-1/4",
        "1/1001",
        "a/4",
        "pod/4",
        "1/2/3",
        " 1/4",
        "1/4\n",
        "\u0661/4",
        "pod3/4",
    ],
)
def test_any_other_text_is_an_invalid_shard(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ShardError, match="invalid shard"):
        Shard.parse(text)
    assert run([], {"DOCUSAGE_SHARD": text or "nothing"}) == 1
    assert "invalid shard" in capsys.readouterr().err


@given(NAMES, COUNTS)
def test_every_target_belongs_to_one_shard(name: str, count: int) -> None:
    assert 0 <= shard_index(name, count) < count


@given(NAMES, COUNTS)
def test_adding_a_shard_moves_targets_only_to_the_new_one(name: str, count: int) -> None:
    assert shard_index(name, count + 1) in {shard_index(name, count), count}


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_an_added_shard_takes_an_equal_share(count: int) -> None:
    moved = sum(shard_index(name, count + 1) != shard_index(name, count) for name in THOUSAND)
    expected = 1000 / (count + 1)
    assert abs(moved - expected) < 4 * expected**0.5


@pytest.mark.parametrize("count", [2, 4, 5, 10])
def test_shards_have_about_equal_sizes(count: int) -> None:
    sizes = Counter(shard_index(name, count) for name in THOUSAND)
    assert len(sizes) == count
    expected = 1000 / count
    assert max(abs(size - expected) for size in sizes.values()) < 4 * expected**0.5


@pytest.mark.parametrize(
    ("name", "shards"), [("acme-eu", [0, 1, 1, 1, 1]), ("acme-nz", [0, 1, 2, 2, 2])]
)
def test_the_shard_of_a_name_never_changes_between_versions(name: str, shards: list[int]) -> None:
    assert [shard_index(name, count) for count in range(1, 6)] == shards


@pytest.mark.parametrize(("shard", "text"), [(Shard(0, 1), ""), (Shard(2, 5), "shard 2 of 5")])
def test_a_shard_is_displayed_only_if_there_are_several(shard: Shard, text: str) -> None:
    assert str(shard) == text
