"""Whether every job has a name of its own, before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.manifest.identity import RESERVED, slug
from orchestrator.manifest.multiply import axis_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.manifest.drafts import Draft, Entry
    from orchestrator.manifest.multiply import Combination
    from orchestrator.manifest.problems import Findings, Place

#: What sets a job apart from others of the same manifest job: its draft, its axes' values, and the
#: number of its row.
_Choice: TypeAlias = "tuple[Draft, Mapping[str, Entry], int | None]"

_ONE_FILE = "names that differ only in letter case or Unicode form are one"
_RENAME = "rename one of them; several generations of the same are `takes`"
_TAKES = "remove one; several generations of the same are `takes`"


@dataclass(slots=True)
class Names:
    """The names that are taken so far."""

    findings: Findings
    #: Slug of an id to the number of the manifest's job that has it, and to the id.
    _ids: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: Within the job that is being expanded: key to what was chosen for it.
    _keys: dict[str, _Choice] = field(default_factory=dict)

    def begin_job(self) -> None:
        """Forget the keys of the job before: ids keep the keys of different jobs apart."""
        self._keys.clear()

    def id_is_free(self, draft: Draft) -> bool:
        """Whether no other job has the draft's id; else it is reported."""
        own = str(draft.id.value)
        name = slug(own)
        number, other = self._ids.setdefault(name, (draft.number, own))
        if number != draft.number:
            hint = _RENAME if own == other else _ONE_FILE
            self._collision(draft.id.place, _twice("the id", own, other), hint)
        elif name in RESERVED:
            message = f"the id `{own}` is reserved for files of edited jobs"
            self._collision(draft.id.place, message, "choose another")
        return number == draft.number and name not in RESERVED

    def key_is_free(self, one: Combination) -> bool:
        """Whether no other combination of the same job has the key; else it is reported."""
        choice = (one.draft, one.choices, one.row_number)
        other = self._keys.setdefault(one.key, choice)
        if other is choice:
            return True
        self._collision(*_what_collides(one, other))
        return False

    def _collision(self, place: Place, message: str, hint: str) -> None:
        self.findings.report(place, "key-collision", message, hint)


def _twice(what: str, own: str, other: str) -> str:
    if own == other:
        return f"{what} `{own}` stands here a second time"
    return f"{what} `{own}` names the same files as `{other}`"


def _what_collides(one: Combination, other: _Choice) -> tuple[Place, str, str]:
    """The last choice in which two jobs with one key differ: its place, a message, a hint."""
    draft, choices, row_number = other
    if one.draft is not draft:
        return one.draft.item_place, *_items(one.draft, draft)
    if one.row_number != row_number:
        return one.row_place or one.draft.place, *_rows(one)
    names = [name for name in one.choices if one.choices[name] is not choices[name]]
    texts = {name: (one.axes[name], axis_text(choices[name].value)) for name in names}
    place = one.choices[names[-1]].place
    if any(slug(own) != slug(same) for own, same in texts.values()):
        return place, f"`{one.key}` is the key of two jobs", "change one of the axis values"
    own, same = texts[names[-1]]
    hint = _TAKES if own == same else _ONE_FILE
    return place, _twice(f"on the axis `{names[-1]}`, the value", own, same), hint


def _items(own: Draft, other: Draft) -> tuple[str, str]:
    if own.item_place.path[-1] != "id":
        return "this prompt stands here a second time", _TAKES
    message = _twice("the prompt's id", str(own.item), str(other.item))
    return message, _RENAME if own.item == other.item else _ONE_FILE


def _rows(one: Combination) -> tuple[str, str]:
    place = one.row_place
    if place is not None and len(place.path) > 2:
        return f"the row's id `{one.row}` is taken by a row above it", _ONE_FILE
    return "this row stands in the table a second time", _TAKES
