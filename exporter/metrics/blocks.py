"""The lines of all targets, compressed in parts of which a change renews a few.

Targets are kept in blocks of a hundred, and the lines of a block by metric, each metric's as a
part of a gzip file. A target that changed is put into its block's parts; a page joins parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from exporter.metrics.deflate import Part, deflated, inflated
from exporter.metrics.exposition import SECTIONS

if TYPE_CHECKING:
    from exporter.metrics.exposition import Lines, Section
    from exporter.state.store import TargetSnapshot

_BLOCK: Final = 100  # targets
_FEW: Final = 20  # changes of a block; more than these are slower than rendering it whole

Parts: TypeAlias = Mapping[str, Part]
"""Lines, compressed, by the metric's name."""
Change: TypeAlias = tuple["TargetSnapshot", "TargetSnapshot"]
"""A target as it was and as it is."""


class Block(NamedTuple):
    """Some targets, and their lines in each section."""

    snapshots: Sequence[TargetSnapshot] = ()
    sections: Sequence[Parts] = ({},) * len(SECTIONS)

    def after(self, snapshots: Sequence[TargetSnapshot]) -> Block:
        """The block with the entries as they are now; itself where they are the same."""
        if snapshots == self.snapshots:
            return self
        both = zip(self.snapshots, snapshots, strict=False)
        changes = [(old, new) for old, new in both if old is not new]
        is_other = any(old.target.name != new.target.name for old, new in changes)
        if is_other or len(snapshots) != len(self.snapshots):
            return Block(snapshots, [_rendered(section, snapshots) for section in SECTIONS])
        known = zip(SECTIONS, self.sections, strict=True)
        return Block(
            snapshots, [_renewed(section, parts, snapshots, changes) for section, parts in known]
        )


def _rendered(section: Section, snapshots: Sequence[TargetSnapshot]) -> Parts:
    lines = section.lines(snapshots)
    return {name: deflated(text.encode()) for name, text in lines.items()}


def _renewed(
    section: Section, parts: Parts, snapshots: Sequence[TargetSnapshot], changes: Sequence[Change]
) -> Parts:
    """A section's parts once some of the entries have changed."""
    source = section.source
    apparent = (
        (old, new)
        for old, new in changes
        if old.target is not new.target or source(old) != source(new)
    )
    few = list(islice(apparent, _FEW + 1))
    if len(few) > _FEW:
        return _rendered(section, snapshots)
    lines = [(section.lines([old]), section.lines([new])) for old, new in few]
    if any(before.keys() != now.keys() for before, now in lines):
        return _rendered(section, snapshots)
    return {name: _replaced(name, part, lines) for name, part in parts.items()}


def _replaced(name: str, part: Part, lines: Sequence[tuple[Lines, Lines]]) -> Part:
    """A metric's part once lines have changed in place.

    A target's lines stand nowhere else: each begins with the metric's and the target's name in
    quotes, and in a label's value quotes are escaped.
    """
    changed = [
        (before[name], now[name]) for before, now in lines if before.get(name) != now.get(name)
    ]
    if not changed:
        return part
    text = inflated(part).decode()
    for before, now in changed:
        text = text.replace(before, now, 1)
    return deflated(text.encode())


class Known(NamedTuple):
    """What a page is made from: immutable, so that it can be renewed in a thread.

    Args:
        at: when the entries were looked up, monotonic seconds.
        entries: every target.
        blocks: the same, a hundred each.
        parts: the lines of all blocks, by the metric's name.
    """

    at: float
    snapshots: Sequence[TargetSnapshot] = ()
    blocks: Sequence[Block] = ()
    parts: Mapping[str, Sequence[Part]] = {}

    def after(self, at: float, snapshots: Sequence[TargetSnapshot]) -> Known:
        """The same for the entries as they are at another moment."""
        groups = [snapshots[start : start + _BLOCK] for start in range(0, len(snapshots), _BLOCK)]
        blocks = list(map(Block.after, chain(self.blocks, repeat(Block())), groups))
        parts: defaultdict[str, list[Part]] = defaultdict(list)
        for block in blocks:
            for name, part in chain.from_iterable(section.items() for section in block.sections):
                parts[name].append(part)
        return Known(at, snapshots, blocks, parts)
