"""Problems on their way to the user: where they stand, and each only once.

The codes, which stay as they are:

    no-file too-large bad-encoding bad-character yaml-syntax json-syntax csv-syntax
    multiple-documents duplicate-key bad-key bad-tag unknown-alias recursive-alias alias-bomb
    too-deep                                                        a file cannot be read as meant
    unknown-key missing-key wrong-type not-allowed out-of-range empty too-long bad-format conflict
    not-finite                                                      a value does not fit
    unknown-model ambiguous-model unknown-provider unknown-variable bad-template
    key-collision too-many-jobs ragged-row unused-axis              jobs do not come about
    bad-url no-upload bad-media unknown-kind missing-reference too-many-references
                                                                    a reference does not fit
    unused-variable no-duration-token literal-braces repeated-job                 warnings
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from orchestrator.jobs import Problem

if TYPE_CHECKING:
    from orchestrator.manifest.positions import Path


class Located(Protocol):
    """A file in which every value has a position."""

    @property
    def file(self) -> str:
        """The path as the user wrote it."""

    def locate(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of its key."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file, or its key; its line and column are looked up only when asked for."""

    source: Located
    path: Path
    key: bool = False

    def below(self, *steps: str | int, key: bool = False) -> Place:
        """A place inside this value."""
        return Place(self.source, (*self.path, *steps), key)


def problem_at(place: Place, code: str, message: str, hint: str = "") -> Problem:
    """A problem with the position of its place."""
    line, column = place.source.locate(place.path, key=place.key)
    return Problem(place.source.file, line, column, path_text(place.path), code, message, hint)


def path_text(path: Path) -> str:
    """A path as problems show it: `jobs[2].params.duration`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


@dataclass(slots=True)
class Findings:
    """What was found so far. What many jobs share, through one value, is kept once."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _seen: set[tuple[object, ...]] = field(default_factory=set)

    def report(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Add a problem."""
        if self._is_new(place, code, message):
            self.add(problem_at(place, code, message, hint))

    def warn(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Add a warning."""
        if self._is_new(place, code, message):
            self.warnings.append(problem_at(place, code, message, hint))

    def add(self, problem: Problem) -> None:
        """Add a problem whose position is known, unless an alias led to the same one before."""
        same = (problem.file, problem.line, problem.column, problem.code, problem.message)
        if same not in self._seen:
            self._seen.add(same)
            self.problems.append(problem)

    def knows(self, place: Place, code: str, message: str) -> bool:
        """Whether this was reported before: then its hint need not be thought of again."""
        return (id(place.source), place.path, place.key, code, message) in self._seen

    def in_file_order(self, first: str) -> tuple[Problem, ...]:
        """All problems from top to bottom: those of the file `first`, then file by file."""
        names = dict.fromkeys([first, *(problem.file for problem in self.problems)])
        files = {name: number for number, name in enumerate(names)}
        return tuple(sorted(self.problems, key=lambda p: (files[p.file], p.line, p.column)))

    def _is_new(self, place: Place, code: str, message: str) -> bool:
        same = (id(place.source), place.path, place.key, code, message)
        new = same not in self._seen
        self._seen.add(same)
        return new
