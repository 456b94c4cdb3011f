"""The heading: where a manifest's run is, told without its jobs, and never told wrong."""

from __future__ import annotations

import pytest

from orchestrator.catalog.tables import shipped
from orchestrator.manifest.check import load
from orchestrator.manifest.heading import read_heading

JOBS = "jobs:\n- id: a\n  model: sora-2-pro\n  prompt: A cup\n"


@pytest.fixture
def manifest(tmp_path):
    def write(text):
        path = tmp_path / "night.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        f"version: 1\ncampaign: spring\n{JOBS}",
        f"version: 1\n{JOBS}campaign: spring # the first\nruns: ../elsewhere\n",
        f"\ufeffversion: 1\ncampaign: 'spring'\nruns: >-\n  a\n  b\n{JOBS}",
    ],
)
def test_it_says_what_the_whole_manifest_says(manifest, text):
    path = manifest(text)
    whole = load(path, shipped())
    heading = read_heading(path)
    assert (heading.campaign, heading.runs) == (whole.campaign, whole.runs)


def test_mistakes_in_the_jobs_do_not_matter(manifest):
    heading = read_heading(manifest("version: 1\ncampaign: spring\njobs:\n  - prompt: [\n"))
    assert heading.campaign == "spring"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{version: 1, campaign: spring, jobs: []}",
        f"version: 1\n{JOBS}",
        f"version: 1\ncampaign: Spring Launch\n{JOBS}",
        f"version: 1\ncampaign: ../spring\n{JOBS}",
        f"version: 1\ncampaign: 2026\n{JOBS}",
        f"version: 1\ncampaign: *name\n{JOBS}",
        f'version: 1\ncampaign: spring\n"runs": out\n{JOBS}',
        f"version: 1\ncampaign: spring\n? runs\n: out\n{JOBS}",
        f"version: 1\ncampaign: spring\n<<: {{runs: out}}\n{JOBS}",
        f"version: 1\ncampaign: spring\n!!str runs: out\n{JOBS}",
        f"version: 1\ncampaign: spring\nruns: 7\n{JOBS}",
        'version: 1\ncampaign: spring\njobs:\n- prompt: "A cup\ncampaign: summer"\n',
        "\x00",
    ],
)
def test_what_is_not_plain_is_left_to_who_reads_the_whole(manifest, text):
    assert read_heading(manifest(text)) is None


def test_a_file_that_is_not_there_has_none(tmp_path):
    assert read_heading(tmp_path / "night.yaml") is None
