"""The pages for readers: links lead somewhere, commands are ones that the command line understands."""

import re
import shlex

import pytest

from aligngemini import cli
from aligngemini.core import paths

PAGES = [*paths.ROOT.glob("*.md"), *paths.ROOT.glob("docs/*.md"), paths.ROOT / "data/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(paths.ROOT)))
def test_links_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link.split("#")[0]).exists()]
    assert not missing


def test_the_readme_is_short_and_leads_to_every_page():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90
    assert all(f"docs/{page.name}" in text for page in paths.ROOT.glob("docs/*.md"))


def test_commands_of_the_pages_are_understood():
    fences = [part for page in PAGES for part in page.read_text(encoding="utf-8").split("```")[1::2]]
    commands = [line for fence in fences for line in fence.splitlines() if line.startswith("aligngemini ")]
    assert len(commands) > 15
    for command in commands:
        words = shlex.split(command, comments=True)[1:]
        assert callable(cli._parser().parse_args(words).act), command
