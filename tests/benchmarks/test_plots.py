from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from benchmarks import polling, scale
from benchmarks.axes import Axis, around, from_zero
from benchmarks.bars import bars
from benchmarks.drawing import WIDTH
from benchmarks.loops import LOOPS
from benchmarks.night import Outcome
from benchmarks.nights import drawn, scenes

#: More than a character takes on average in a wide font, at the size that plots have.
CHARACTER = 7.0


def pictures():
    rates = {loop.name: 10.0 * 5**number for number, loop in enumerate(LOOPS)}
    yield "bars", bars("Jobs <a second>", "jobs/s", {"small & quick": rates, "large": rates})
    nights = [Outcome(1.02, 1.0, 0.9, 12.0, 4.0), Outcome(1.04, 1.0, 0.95, 12.0, 4.0)]
    yield "nights", drawn({scene.name: nights for scene in scenes(10_000, 20, 10)})
    taken = {"cpu": 1.2, "loaded": 50.0 * 2**20, "peak": 60.0 * 2**20}
    sizes = (1000, 10_000, 100_000)
    yield "scale", scale.drawn({jobs: {**taken, "cpu": 0.0012 * jobs} for jobs in sizes})
    fixed = {every: polling.Watched(108 / every, every / 2) for every in polling.INTERVALS}
    yield "polling", polling.drawn(fixed, list(fixed.values()), polling.Watched(7.9, 6.0))


PICTURES = dict(pictures())


def ends(element):
    """How far a level text reaches to both sides."""
    x, length = float(element.get("x")), CHARACTER * len(element.text)
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor")]
    return x - before * length, x + (1 - before) * length


@pytest.mark.parametrize("name", PICTURES)
def test_every_word_of_a_plot_lies_inside_it(name):
    root = ElementTree.fromstring(PICTURES[name])
    texts = [one for one in root.iter() if one.tag.endswith("}text")]
    assert len(texts) > 5
    level = [one for one in texts if one.get("transform") is None]
    outside = [one.text for one in level if ends(one)[0] < 0 or ends(one)[1] > WIDTH]
    assert outside == []


@pytest.mark.parametrize("name", PICTURES)
def test_every_mark_of_a_plot_lies_inside_it(name):
    height = float(ElementTree.fromstring(PICTURES[name]).get("viewBox").split()[3])
    for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", " ".join(
        re.findall(r'points="([^"]*)"', PICTURES[name]))):  # fmt: skip
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= height


def test_a_plot_is_read_on_its_own_ground_in_dark_pages_too():
    for picture in PICTURES.values():
        assert 'fill="#ffffff"/>' in picture.splitlines()[2]


@pytest.mark.parametrize(
    ("most", "marks"),
    [
        (1.24, [0, 0.5, 1, 1.5]),
        (328, [0, 100, 200, 300, 400]),
        (5, [0, 1, 2, 3, 4, 5]),
        (60, [0, 20, 40, 60]),
    ],
)
def test_marks_from_zero_are_few_and_round_and_reach_the_most(most, marks):
    assert from_zero(most) == marks


def test_marks_of_a_logarithmic_axis_enclose_all():
    assert around(4, 54) == [2, 5, 10, 20, 50, 100]
    assert around(2, 50) == [2, 5, 10, 20, 50]


def test_a_logarithmic_axis_gives_each_tenfold_the_same_length():
    axis = Axis("jobs", [1000, 10_000, 100_000], logarithmic=True)
    assert [axis.share(mark) for mark in axis.marks] == pytest.approx([0, 0.5, 1])
