"""Where the matrix kills: every durable step of a job, before and after, and the recovery."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.kill.campaign import KEYED, KEYLESS, Case, Job, Kill
from tests.kill.provider import LATENCIES
from tests.kill.seams import ANY

#: Jobs of one campaign of the matrix, and of one that is killed at random times.
FEW, MANY = 3, 50
#: Bytes that make a download spill to its part, and that make it note down how far it came.
SPILLED, NOTED = 4_000_000, 18_000_000
#: Kills of one campaign at random times; then it is left alone.
MOST_KILLS = 6
#: Seconds of a whole campaign of `MANY` jobs, about: kills fall into this time.
WHOLE = 0.45


@dataclass(frozen=True)
class Point:
    """One column of the matrix."""

    name: str
    #: The moments at which one run after the other is killed; where the providers' differ, by
    #: whether it honours keys.
    moments: tuple[str | tuple[str, str], ...]
    #: How often the last moment comes for certain: repetitions go through its occurrences.
    occurrences: int = FEW
    #: Bytes added to the first job's video.
    padding: int = 0
    kinds: tuple[str, ...] = (KEYED, KEYLESS)
    #: A run may end before its moment comes.
    may_miss: bool = False


def at(name: str, moment: str, **options: int) -> tuple[Point, Point]:
    """The points before and after one durable step."""
    before = Point(f"before {name}", (f"{moment} before",), **options)
    return before, Point(f"after {name}", (f"{moment} after",), **options)


POINTS: tuple[Point, ...] = (
    *at("the new ledger gets its name", "name ledger", occurrences=1),
    # Its tables, the campaign, the provider's origin, the jobs.
    *at("the ledger is set up", "commit other", occurrences=4),
    *at("the intent is durable", "commit intent"),
    Point("before the create leaves", ("create unsent",)),
    Point("half of the create has left", ("create half sent",)),
    Point("the create has left", ("create sent",)),
    Point("the reply is there, unread", ("create answered",)),
    Point("the reply is read", ("create read",)),
    *at("the raw reply and `submitted` are durable", "commit accepted"),
    Point("a poll's answer is there, unread", ("poll answered",), occurrences=1),
    *at("`generated` is durable", "commit generated"),
    Point("the video is there, unread", ("download answered",)),
    Point("half of the video is on disk", ("download under way",), occurrences=2, padding=SPILLED),
    *at("a long download is noted down", "name note", occurrences=1, padding=NOTED),
    *at("the part is synced", "sync part"),
    *at("the video gets its name", "name video"),
    *at("the sidecar gets its name", "name sidecar"),
    *at("the video's name is durable", "sync folder", occurrences=1),
    *at("`stored` is durable", "commit stored"),
    Point("before the part is let go", ("drop part before",)),
    Point("results.jsonl is begun", ("begin results",), occurrences=1),
    *at("results.jsonl gets its name", "name results", occurrences=1),
    Point("results.csv is begun", ("begin table",), occurrences=1),
    *at("results.csv gets its name", "name table", occurrences=1),
    *at("the report gets its name", "name report", occurrences=1),
    Point("recovery: the ledger is opened", ("create sent", "connect before"), occurrences=2),
    Point("recovery: the jobs are admitted", ("create sent", "commit other before"), occurrences=2),
    Point(
        "recovery: before an open create is settled",
        ("create sent", ("commit resend before", "commit unknown before")),
        occurrences=1,
    ),
    Point(
        "recovery: after an open create is settled",
        ("create sent", ("commit resend after", "commit unknown after")),
        occurrences=1,
    ),
    Point(
        "recovery: the create has left again",
        ("create sent", "create sent"),
        occurrences=1,
        kinds=(KEYED,),
    ),
    Point(
        "recovery: before a named video is `stored`",
        ("name video after", "commit stored before"),
        occurrences=1,
    ),
    Point(
        "recovery: a download breaks twice",
        ("download under way", "download under way"),
        occurrences=1,
        padding=SPILLED,
    ),
    Point("five in a row, anywhere", (ANY,) * 5, may_miss=True),
)


def case_of(point: Point, kind: str, repetition: int) -> Case:
    """One campaign that is killed at a point; repetitions differ in timing and in which job."""
    draw = random.Random(f"{point.name}/{kind}/{repetition}")
    # A create of unknown outcome keeps its slot for ten minutes: then there is one more.
    in_flight = draw.choice((1, 2, FEW) if kind == KEYED else (FEW + 1, 2 * FEW))
    # Every other campaign has one job more than its budget.
    unaffordable = repetition % 2
    jobs = tuple(
        Job(f"j{number}", draw.choice(LATENCIES), 0 if number else point.padding)
        for number in range(FEW + unaffordable)
    )
    kills = []
    for index, moment in enumerate(point.moments):
        name = moment if isinstance(moment, str) else moment[kind == KEYLESS]
        if name == ANY:
            occurrence = int(10 ** draw.uniform(0, 2))
        elif index == len(point.moments) - 1:
            occurrence = 1 + repetition % point.occurrences
        else:
            occurrence = 1
        kills.append(Kill(moment=name, occurrence=occurrence, may_miss=point.may_miss))
    return Case(kind, jobs, tuple(kills), in_flight, unaffordable, goes_on=repetition % 5 == 0)


def random_case(kind: str, number: int) -> Case:
    """A campaign of many jobs that is killed at random times until it is left alone."""
    draw = random.Random(f"random/{kind}/{number}")
    jobs = tuple(
        Job(f"j{job}", draw.choice(LATENCIES), draw.choice((0,) * 19 + (SPILLED,)))
        for job in range(MANY)
    )
    kills = tuple(
        Kill(after=draw.uniform(0.02, WHOLE), may_miss=True)
        for _ in range(draw.randint(1, MOST_KILLS))
    )
    return Case(kind, jobs, kills, MANY, unaffordable=0, goes_on=number % 5 == 0)
