"""The report of notebook 05: what it found, then the executed notebooks that it stands on, in one page that needs
nothing else."""

import html
import json
import re

import nbformat
import pandas as pd
from nbconvert import HTMLExporter

from aligngemini.analysis import families, figures, page, pictures, published, tables
from aligngemini.core import commands, paths
from aligngemini.core.run import Run

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPLORER = '<p class="explorer">Open the notebook in JupyterLab to explore this.</p>'
REMOTE = re.compile(r"<script[^>]*\ssrc=[^>]*>\s*</script>|<link[^>]*\shref=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE)
RUNNING = re.compile(r"Run\([^,]+, running\)")  # how a run shows itself in its notebook, before it is complete
TITLE = "05 - Analysis"
COUPLE, TESTED = ["pure", "other", "benchmark", "subset"], ["n", "difference", "low", "high", "p", "p_holm"]


def report(run: Run, texts: list[str], saved: dict[str, pd.DataFrame], verdicts: pd.DataFrame, shown: int = 12) -> str:
    """The whole page, which loads nothing from elsewhere, for a run of notebook 05.

    `texts` are the sentences of its story, `saved` the tables that it keeps, by the names of their files without the
    suffix; `verdicts` is what tables.judged gives, and `shown` the number of flipped pictures. The notebooks of all
    runs below it follow; for one whose folder holds no notebook.ipynb a line says so, and which command makes it.
    """
    below = [(each, _executed(each)) for each in _below(run)]
    own = _headline(saved["alignment"], texts) + _parts(saved, verdicts, shown) + _about(run)
    if any(notebook is None for _, notebook in below):
        own += _missing("Chapters are missing below. Make them, then write this page again:", run, "--force")
    exporter = HTMLExporter(
        template_name="basic", extra_loaders=[page.LOADER], template_file=page.TEMPLATE, embed_images=False
    )
    chapters = [_chapter(*each, index, exporter) for index, each in enumerate(below)]
    return page.whole([page.Section("analysis", TITLE, own), *chapters])


def _below(run: Run) -> list[Run]:
    """All runs that a run stands on, directly or not, each once, by notebook and in the order that they are named."""
    found: dict[tuple[str, str], Run] = {}
    waiting = list(run.inputs.values())
    while waiting:
        each = waiting.pop(0)
        found.setdefault((each.notebook, each.name), each)
        waiting += each.inputs.values()
    return sorted(found.values(), key=lambda each: each.notebook)


def _headline(alignment: pd.DataFrame, texts: list[str]) -> str:
    """The table of each benchmark, and the story."""
    blocks = "".join(
        f"<h3>{html.escape(name)}</h3>{_table(block)}" for name, block in tables.benchmarks(alignment).items()
    )
    items = "".join(f"<li>{html.escape(line)}</li>" for text in texts for line in text.splitlines())
    said = "Balanced accuracy with its interval, by benchmark, model and subset."
    return f"<h1>{TITLE}</h1><h2>Headline</h2><p>{said}</p>{blocks}<ul>{items}</ul>"


def _parts(saved: dict[str, pd.DataFrame], verdicts: pd.DataFrame, shown: int) -> str:
    """The figures and tables of notebook 05, each under a heading."""
    first, known = tables.first(saved["alignment"]), saved["published"].dropna(subset="ours")
    flipped = saved["flips"].drop_duplicates("image_id").head(shown)
    parts = {
        "Model by supervision by axis": figures.alignment(first),
        "The means by both thresholds": pd.concat(tables.benchmarks(saved["thresholds"]), axis=1).droplevel(1, axis=1),
        "Beside what was published": published.shown(known) if len(known) else None,
        "Differences on the same pictures": saved["differences"].set_index(COUPLE)[TESTED].round(3),
        "Ranking and confusion": [
            figures.roc(tables.first(verdicts)),
            figures.confusion(tables.first(saved["confusion"])),
        ],
        "Every subset": figures.subsets(saved["alignment"], "Balanced accuracy by subset, with intervals"),
        "Which violations are found": families.figure(saved["families"]) if len(saved["families"]) else None,
        "Verdicts that flip": pictures.flips(flipped) if len(flipped) else None,
    }
    return "".join(f"<h2>{heading}</h2>{_shown(part)}" for heading, part in parts.items() if part is not None)


def _shown(part: object) -> str:
    """A figure, a table, a piece of a page, or a list of these, as HTML."""
    if isinstance(part, list):
        return "".join(_shown(each) for each in part)
    if isinstance(part, pd.DataFrame):
        return _table(part)
    return page.figure(json.loads(part.to_json())) if hasattr(part, "to_plotly_json") else part.data


def _table(frame: pd.DataFrame) -> str:
    numbered = isinstance(frame.index, pd.RangeIndex)
    return frame.to_html(escape=True, border=0, index=not numbered, na_rep="-", max_rows=None)


def _about(run: Run) -> str:
    """What one needs to make the page again: the run, what it stands on, and versions."""
    facts = run.table.set_index("what").value.drop("status")
    facts["folder"] = paths.short(run.folder.with_name(run.name))  # where it lies as soon as it is complete
    rows = "".join(
        f"<tr><th>{html.escape(what)}</th><td>{html.escape(value)}</td></tr>" for what, value in facts.items()
    )
    return f"<h2>The run</h2><table>{rows}</table>"


def _missing(text: str, run: Run, *words: str) -> str:
    """A line and the command that makes a run, with further options."""
    command = html.escape(commands.make(run.notebook, run.params, *words))
    return f"<div class='missing'>{html.escape(text)}<pre>{command}</pre></div>"


def _executed(run: Run):
    """The executed notebook of a run, None where there is none that can be read. It names the folder that the run
    worked in: here stands the one where it lies now.
    """
    try:
        text = run.path("notebook.ipynb").read_text(encoding="utf-8")
        return nbformat.reads(text.replace(f".{run.name}.partial", run.name), as_version=4)
    except (OSError, ValueError):
        return None


def _chapter(run: Run, notebook, index: int, exporter: HTMLExporter) -> page.Section:
    """The executed notebook of a run, or the line that says that there is none."""
    if notebook is None:
        body = _missing(f"Run {run.name} of {run.notebook} holds no executed notebook. This command makes it:", run)
        return page.Section(f"part{index}", f"{_title(run.notebook, run)} (missing)", body)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_output(output, run) for output in cell.outputs]
    body, _ = exporter.from_notebook_node(notebook)
    return page.Section(f"part{index}", _title(_heading(notebook) or run.notebook, run), body)


def _heading(notebook) -> str:
    """The first heading of a notebook, "" if it has none."""
    lines = (line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), "")


def _title(name: str, run: Run) -> str:
    """The name of a chapter, with the supervision if its run has one."""
    return ": ".join(filter(None, (name, run.params.get("supervision"))))


def _output(output, run: Run):
    """An output as the report shows it: figures drawn by the page's one plotly, a line where a widget stood, and the
    run as it is now.
    """
    data = output.get("data")
    if data is None:
        return output
    if WIDGET in data:
        output["data"] = {"text/html": EXPLORER}
    elif PLOTLY in data:
        output["data"] = {"text/html": page.figure(data[PLOTLY])}
    elif RUNNING.fullmatch(data.get("text/plain", "")):
        output["data"] = {"text/html": run._repr_html_()}
    elif "text/html" in data:
        output["data"]["text/html"] = REMOTE.sub("", data["text/html"])
    return output
