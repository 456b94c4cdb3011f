"""A manifest of very many jobs, and where the errors that are planted in it must be told."""

from __future__ import annotations

from typing import NamedTuple

_HEAD = """\
version: 1
campaign: large
vars: {look: photographed on 35mm film}
defaults:
  model: happyhorse-1-0
jobs:
"""
#: A job of about 210 characters.
_JOB = """\
  - id: job-{number}
    prompt: "Bottle {number} on a stone table by the sea, {{{{look}}}}, the camera glides"
    params:
      duration: {duration}
      resolution: 720p
      aspect_ratio: {ratio}
      seed: {seed}
    tags: [night, series-{series}]
"""
_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")

#: Kinds of errors: the code, a part of a job's text, and what stands there instead. A `^`, which is
#: taken out, marks where the error must be told.
KINDS = (
    ("unknown-key", "prompt:", "^promt:"),
    ("missing-key", "id:", "^retries: 0  #"),
    ("key-collision", "id: job", "id: ^job-0  #"),
    ("wrong-type", "tags: [night", "tags: [^{a: b}"),
    ("duplicate-key", "tags:", "retries: 1\n    ^retries: 2\n    tags:"),
    ("not-allowed", "tags:", "on_refusal: ^retry\n    tags:"),
    ("out-of-range", "tags:", "takes: ^0\n    tags:"),
    ("unknown-model", "tags:", "model: ^sora-3\n    tags:"),
    ("empty", '"Bottle', '^" "  # "'),
    ("too-long", '"Bottle', '^"' + 1001 * "Water "),
    ("unknown-variable", '"Bottle', '^"{{lok}}'),
    ("unknown-key", "seed:", "^sead:"),
    ("wrong-type", "seed:", "seed: ^[1, 2]  #"),
    ("out-of-range", "duration:", "duration: ^2  #"),
    ("not-allowed", "resolution: ", "resolution: ^4"),
    ("not-allowed", "tags:", 'references: [^"https://example.com/a.mp3"]\n    tags:'),
    ("no-file", "tags:", "references: [^media/missing.png]\n    tags:"),
    ("bad-url", "tags:", 'references: [^"http://example.com/a.png"]\n    tags:'),
)


class Planted(NamedTuple):
    """Where an error must be told, and with which code; line and column count from 1."""

    line: int
    column: int
    code: str


def large_manifest(jobs: int, *, distinct: int, errors: int) -> tuple[str, list[Planted]]:
    """The text of a manifest, and the errors in it, from top to bottom.

    The jobs have at most `distinct` different sets of parameters. The errors are of all kinds in
    turn, no two in one job, at equal distances.
    """
    every = jobs // errors if errors else jobs + 1
    parts = [_HEAD]
    planted: list[Planted] = []
    line = _HEAD.count("\n")
    for number in range(jobs):
        text = _job(number, number % distinct)
        if number % every == every - 1 and len(planted) < errors:
            text, error = _spoiled(text, line, *KINDS[len(planted) % len(KINDS)])
            planted.append(error)
        parts.append(text)
        line += text.count("\n")
    return "".join(parts), planted


def _job(number: int, variant: int) -> str:
    return _JOB.format(
        number=number,
        duration=3 + variant % 13,
        ratio=_RATIOS[variant % len(_RATIOS)],
        seed=variant,
        series=number % 40,
    )


def _spoiled(job: str, above: int, code: str, old: str, new: str) -> tuple[str, Planted]:
    """A job's text with an error in it, below `above` lines, and the error's place."""
    marked = job.replace(old, new, 1)
    assert marked != job, f"the job has no {old}"
    before, _mark, after = marked.partition("^")
    column = len(before) - (before.rfind("\n") + 1) + 1
    return before + after, Planted(above + before.count("\n") + 1, column, code)
