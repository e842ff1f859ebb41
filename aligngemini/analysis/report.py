"""The report of notebook 05: its results, then the executed notebooks that it stands on, in one page that needs nothing
else."""

import base64
import gzip
import json
import re
import sys
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import nbformat
import pandas as pd
from nbconvert import HTMLExporter
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from aligngemini.analysis import answers, figures, pairs, pictures, published, story, style, tables
from aligngemini.core import commands, paths, processes, values
from aligngemini.core.run import Run
from aligngemini.core.saved_runs import SavedRun
from aligngemini.core.stages import ANALYSIS

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPLORER = '<p class="explorer">Open the notebook in JupyterLab to explore this.</p>'
REMOTE = re.compile(r"<script[^>]*\ssrc=[^>]*>\s*</script>|<link[^>]*\shref=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE)
EMPTY, NOTHING = re.compile(r"<tbody>\s*</tbody>"), '<p class="explorer">A table without rows.</p>'
RUNNING = re.compile(r"Run\([^,]+, running\)")  # how a run shows itself in its notebook, before it is complete
TITLE, SIZE = "05 - Analysis", "@@size@@"
SAVED = ("alignment", "thresholds", "published", "differences", "confusion", "families", "flips")  # by notebook 05
COUPLE, TESTED = ["pure", "other", "benchmark", "subset"], ["n", "difference", "low", "high", "p", "p_holm"]
SIGN = "A difference is other minus pure, in balanced accuracy. p_holm is p after Holm's correction for all rows."
THRESHOLDS = "published: the threshold 0.5, as published; validation: the one chosen on validation images."
TEMPLATES = jinja2.FileSystemLoader(Path(__file__).parent)  # report.html.j2 is the page, chapter.html.j2 a notebook


class Chapter(NamedTuple):
    """An executed notebook as HTML under its title, or the run that lacks it and the command that makes it."""

    title: str
    body: str = ""
    run: str = ""
    command: str = ""


def remake(run: Run) -> tuple[list[answers.Answer], str]:
    """The answers and the page of a complete run of notebook 05 or 04. Raises Refused if a table is missing."""
    images, compared, verdicts = tables.of_run(run)
    if run.notebook == ANALYSIS:
        saved = {name: values.read(run.path(f"{name}.parquet"), maker=ANALYSIS) for name in SAVED}
    else:
        saved = _measured(images, compared, verdicts, run)
    text = story.story(images, compared, saved["alignment"], saved["differences"])
    found = answers.answers(saved["alignment"], saved["differences"], saved["families"])
    return found, report(run, text, saved, verdicts, run.params.get("shown", 12))


def _measured(images: pd.DataFrame, compared: list, verdicts: pd.DataFrame, fusion: Run) -> dict[str, pd.DataFrame]:
    """The tables that notebook 05 would save, with the parameters of the run of notebook 04."""
    resampling = [fusion.params[name] for name in ("resamples", "confidence", "seed")]
    alignment = tables.alignment(verdicts, *resampling)
    return {
        "alignment": alignment,
        "thresholds": tables.cut_twice(images, compared, *resampling),
        "published": published.beside(published.measured(published.marked(alignment, compared, fusion))),
        "differences": pairs.differences(verdicts, *resampling),
        "confusion": tables.confusion(verdicts),
        "families": tables.families(tables.first(verdicts), fusion.params["confidence"]),
        "flips": pairs.flips(verdicts),
    }


def report(run: Run, text: str, saved: dict[str, pd.DataFrame], verdicts: pd.DataFrame, shown: int = 12) -> str:
    """The whole page, which loads nothing from elsewhere, for a run of notebook 05.

    `text` is its story, `saved` the tables that it keeps, by the names of their files without the
    suffix; `verdicts` is what tables.judged gives, and `shown` the number of flipped images of a model. The notebooks
    of all runs below it follow; for one whose folder holds no notebook.ipynb a line says so, and which command makes
    it.
    """
    workers = len(run.below) if "torch" in sys.modules else 1  # its import would take longer than they spare
    chapters = list(processes.made(_chapter, run.below, workers, batch=1))
    facts = run.table.set_index("what").value.drop("status")
    facts["folder"] = paths.short(run.folder.with_name(run.name))  # where it lies as soon as it is complete
    missing = any(each.command for each in chapters)
    pages = jinja2.Environment(loader=TEMPLATES, autoescape=True)
    pages.filters["shown"] = _shown
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("default", "github-dark"))
    page = pages.get_template("report.html.j2").render(
        name=run.name,
        about=about(run, verdicts),
        size=SIZE,
        answers=answers.answers(saved["alignment"], saved["differences"], saved["families"]),
        note=answers.NOTE,
        chart=figures.alignment(tables.first(saved["alignment"])),
        kinds=pictures.kinds(verdicts),
        headline=tables.benchmarks(saved["alignment"]),
        parts=_parts(text, saved, verdicts, shown),
        facts=facts,
        again=commands.make(run.notebook, run.params, "--force") if missing else "",
        chapters=chapters,
        style=style,
        code_style={"light": light, "dark": dark},
        plotly=base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode(),
        config=style.CONFIG,
    )
    return page.replace(SIZE, f"{len(page.encode()) / 1e6:.1f} MB")


def about(run: Run, verdicts: pd.DataFrame) -> str:
    """Scale, seed, date and machine of a run in one line, and what is small about it."""
    record = run.manifest["run"]
    date = datetime.fromisoformat(record.get("finished") or record["started"])
    bases = [each.models["base"]["name"] for each in run.below if "base" in each.models]
    small = bool(bases) and all(name.startswith("data/mini") for name in bases)
    drawn = "source" in verdicts and set(tables.first(verdicts).source.dropna()) == {"world"}
    toys = ", ".join(["drawn scenes"] * drawn + ["small models"] * small)
    toy = f"a toy world: {toys}" if drawn else toys
    facts = [f"{TITLE}, run {run.name}", f"scale {run.scale}", f"seed {run.seed}", f"{date.day} {date:%B %Y}"]
    return " · ".join(filter(None, [*facts, run.computer, toy]))


def _parts(text: str, saved: dict[str, pd.DataFrame], verdicts: pd.DataFrame, shown: int) -> dict[str, list]:
    """What lies behind the folds of the page, by heading; a heading without anything is left out."""
    alignment, violations, flips = saved["alignment"], saved["families"], saved["flips"]
    known, differences = saved["published"].dropna(subset="ours"), saved["differences"]
    confusion = tables.first(saved["confusion"]).set_index(["title", "subset"]).drop(columns=["model", "benchmark"])
    confusion = confusion.rename(columns=style.CELLS)
    parts = {
        "Which violations are found": [figures.families(violations)] if len(violations) else [],
        "Verdicts that flip": [pictures.flips(flips, shown)] if len(flips) else [],
        "Differences on the same images": [style.prose(SIGN), differences.set_index(COUPLE)[TESTED].round(3)]
        if len(differences)
        else [],
        "The means by both thresholds": [style.prose(THRESHOLDS), tables.means(saved["thresholds"])],
        "Beside what was published": [published.shown(known)] if len(known) else [],
        "Every subset": [figures.subsets(alignment, "Balanced accuracy by subset, with intervals")],
        "Ranking and confusion": [figures.roc(tables.first(verdicts)), confusion],
        "What the numbers leave open": [style.prose(text)],
    }
    return {heading: part for heading, part in parts.items() if part}


def _shown(part: Any) -> str:
    if isinstance(part, pd.DataFrame):
        numbered = isinstance(part.index, pd.RangeIndex)
        table = part.to_html(border=0, index=not numbered, na_rep="-", max_rows=None, sparsify=False)
        return f'<div class="wide">{table}</div>'
    return _figure(json.loads(part.to_json())) if hasattr(part, "to_plotly_json") else part.data


def _figure(data: dict) -> str:
    """The place of a figure (plotly mime data), with its data beside it; it is drawn when it scrolls into view."""
    data = {name: data.get(name) for name in ("data", "layout")}
    text = json.dumps(data).replace("</", "<\\/")  # no tag may end inside a script element
    data["layout"] = data["layout"] or {}
    height = data["layout"].setdefault("height", 450)
    script = f'<script type="application/json">{text}</script>'
    return f'<div class="figure" style="min-height:{height}px">{script}<div></div></div>'


@cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(
        template_name="basic", extra_loaders=[TEMPLATES], template_file="chapter.html.j2", embed_images=False
    )


def _chapter(run: SavedRun) -> Chapter:
    """The executed notebook of a run, or the command that makes it where there is none that can be read."""
    try:
        notebook = executed(run)
    except (OSError, ValueError):
        title = f"{_title(run.notebook, run)} (missing)"
        return Chapter(title, "", f"{run.name} of {run.notebook}", commands.make(run.notebook, run.params))
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_output(output, run) for output in cell.outputs]
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.*\S)", prose, re.MULTILINE)
    return Chapter(_title(heading[1] if heading else run.notebook, run), _exporter().from_notebook_node(notebook)[0])


def executed(run: SavedRun) -> nbformat.NotebookNode:
    """The executed notebook of a complete run, without scripts, which are for JupyterLab alone; raises OSError or
    ValueError where there is none that can be read.
    """
    text = run.path("notebook.ipynb").read_text(encoding="utf-8")
    text = text.replace(f".{run.name}.partial", run.name)  # the folder that it worked in: here where it lies now
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if style.SCRIPT not in output.get("data", {})]
    return notebook


def _title(name: str, run: Run) -> str:
    return ": ".join(filter(None, (name, run.params.get("supervision"))))


def _output(output: Any, run: Run) -> Any:
    """An output as the report shows it: figures drawn by the page's one plotly, a line where a widget stood, and the
    run as it is now.
    """
    data = output.get("data", {})
    if WIDGET in data:
        output["data"] = {"text/html": EXPLORER}
    elif PLOTLY in data:
        output["data"] = {"text/html": _figure(data[PLOTLY])}
    elif RUNNING.fullmatch(data.get("text/plain", "")):
        output["data"] = {"text/html": run._repr_html_()}
    elif "text/html" in data:
        data["text/html"] = NOTHING if EMPTY.search(data["text/html"]) else REMOTE.sub("", data["text/html"])
    return output
