"""`make sync`: write parameter cells, the recipes of mini, the heads of docs/studies.md, and badges of the README."""

import json
import re

from aligngemini.analysis import study
from aligngemini.core import manifest, paths, recipes
from aligngemini.core.stages import STAGES, Stage
from tests import cells

README, STUDIES = paths.ROOT / "README.md", paths.ROOT / "docs/studies.md"
GITHUB = re.compile(  # ssh.github.com:443 is its own way through firewalls
    r"(?i)(?:(?:https|ssh)://)?(?:[^@/]*@)?(?:ssh\.)?github\.com(?::\d+/|[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"
BADGES = {  # what opens the repository {}: the badge and the link, as each service documents them
    "Colab": (f"{COLAB}/assets/colab-badge.svg", COLAB + "/github/{}/blob/main/notebooks/colab.ipynb"),
    "Binder": (f"{BINDER}/badge_logo.svg", BINDER + "/v2/gh/{}/main?labpath=notebooks/00_start.ipynb"),
    "Codespaces": ("https://github.com/codespaces/badge.svg", "https://codespaces.new/{}"),
}


def notebook(stage: Stage) -> str:
    """Return the notebook of a stage as text, with the parameter cell that its class of parameters asks for."""
    book = json.loads(paths.notebook(stage.name).read_text(encoding="utf-8"))
    (cell,) = (cell for cell in book["cells"] if "parameters" in cell["metadata"].get("tags", []))
    cell["source"] = cells.parameters(stage.params).splitlines(keepends=True)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def recipe(stage: Stage) -> str:
    """Return the recipe of a stage at scale mini as text: every parameter with its default."""
    values = stage.params().model_dump().items()
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in values)


def studies(page: str) -> str:
    """Return the page with a section for each study: question and design of its recipe, then its answers in `page`."""
    intro, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    bodies = dict(section.split("\n", 1) for section in sections)
    return intro.rstrip() + "".join(f"\n\n{_section(name, bodies.get(name, ''))}" for name in recipes.studies()) + "\n"


def badges(page: str, origin: str) -> str:
    """Return the page with badges under its title that open the repository at `origin`, and with its address to clone.

    An `origin` that is no address of GitHub leaves the page as it is.
    """
    if not (found := GITHUB.fullmatch(origin)):
        return page
    links = [f"[![{name}]({badge})]({link.format(found[1])})" for name, (badge, link) in BADGES.items()]
    title, body = re.sub(r"^\[!\[.*\n\n", "", page, flags=re.MULTILINE).split("\n\n", 1)
    body = re.sub(r"git clone \S+", f"git clone https://github.com/{found[1]}", body)
    return f"{title}\n\n{' '.join(links)}\n\n{body}"


def _section(name: str, body: str) -> str:
    answer = re.sub(r"^\*\*(Question|Design)\.\*\*.*$", "", body, flags=re.MULTILINE).strip()
    return study.head(recipes.study(name)) + (answer or "Not measured yet.")


if __name__ == "__main__":
    readme, origin = README.read_text(encoding="utf-8"), manifest.git("remote", "get-url", "origin")
    files = {STUDIES: studies(STUDIES.read_text(encoding="utf-8")), README: badges(readme, origin)}
    for stage in STAGES.values():
        files[paths.notebook(stage.name)] = notebook(stage)
        files[recipes.folder() / "mini" / f"{stage.name}.yaml"] = recipe(stage)
    for path, text in files.items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {paths.short(path)}")
