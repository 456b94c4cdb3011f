"""Problems as GitHub's workflow commands, which it shows beside the lines of a pull request.

The form and its escapes are those of GitHub's documentation of workflow commands: in the text, `%`
and line breaks are escaped; in what stands before it, `:` and `,` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from orchestrator.jobs import Problem

_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_TEXT | str.maketrans({":": "%3A", ",": "%2C"})


def annotation(problem: Problem, weight: Literal["error", "warning"]) -> str:
    """The line that GitHub reads: `::error file=a.yaml,line=4,col=12::message (hint)`."""
    text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    file = problem.file.translate(_IN_PROPERTY)
    place = f"file={file},line={problem.line},col={problem.column}"
    return f"::{weight} {place}::{text.translate(_IN_TEXT)}"
