"""One HTML file of the executed notebooks, complete in itself: opened anywhere, offline, by a double
click."""

import html
import re
from pathlib import Path

import nbformat
import pandas as pd
from nbconvert import HTMLExporter
from traitlets.config import Config

from aligngemini.analysis import page, tables
from aligngemini.analysis.cause import cause
from aligngemini.analysis.story import story
from aligngemini.workbook import manifest

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPLORER = '<p class="explorer">Open the notebook in JupyterLab to explore this.</p>'
SIZE = "@@size@@"
REMOTE = re.compile(r"<script[^>]*\ssrc=[^>]*>\s*</script>|<link[^>]*\shref=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE)


def build(run_folders, out_html: Path) -> Path:
    """Write the report of `run_folders` (runs or folders, in order) to `out_html`; return that path.

    The headline and the story stand on top if a folder holds alignment.parquet. A folder without
    notebook.ipynb is named as missing. The page names its own size; nothing in it is loaded from elsewhere.
    """
    folders = [tables.folder(each) for each in run_folders]
    figures = page.Figures()
    exporter = _exporter()
    sections = [_section(each, index, exporter, figures) for index, each in enumerate(folders)]
    text = page.whole(_top(folders), sections, figures)
    size = f"{len(text.encode()) / 1e6:.1f} MB"
    out_html = Path(out_html)
    with manifest.whole(out_html) as temporary:
        temporary.write_text(text.replace(SIZE, size), encoding="utf-8")
    return out_html


def _exporter() -> HTMLExporter:
    """nbconvert's plain page body, with the code of each cell folded away."""
    config = Config({"HTMLExporter": {"anchor_link_text": ""}})
    return HTMLExporter(
        config=config,
        template_name="basic",
        extra_loaders=[page.LOADER],
        template_file=page.TEMPLATE,
        embed_images=False,
    )


def _section(place: Path, index: int, exporter: HTMLExporter, figures: "page.Figures") -> "page.Section":
    """One notebook, or the line that says it is missing."""
    source = place / "notebook.ipynb"
    name = place.parent.name or place.name
    if not source.is_file():
        text = html.escape(f"Missing: {name}, run {place.name}, holds no notebook.ipynb.")
        return page.Section(f"part{index}", name, f"<p class='missing'>{text}</p>", missing=True)
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_output(output, figures) for output in cell.outputs]
    body, _ = exporter.from_notebook_node(notebook)
    return page.Section(f"part{index}", _title(notebook, name, place), body, missing=False)


def _title(notebook, name: str, place: Path) -> str:
    """The first heading of a notebook, else its name; with the supervision if its run has one."""
    lines = (line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    heading = next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), name)
    record = manifest.read(place)
    supervision = record["question"]["params"].get("supervision") if record else ""
    return f"{heading}: {supervision}" if supervision else heading


def _output(output, figures: "page.Figures"):
    """An output as the report shows it: figures drawn by the page's one plotly, a line where a widget
    stood."""
    data = output.get("data")
    if data is None:
        return output
    if WIDGET in data:
        output["data"] = {"text/html": EXPLORER}
    elif PLOTLY in data:
        output["data"] = {"text/html": figures.add(data[PLOTLY])}
    elif "text/html" in data:
        output["data"]["text/html"] = REMOTE.sub("", data["text/html"])
    return output


def _top(folders: list[Path]) -> str:
    """Headline table and story of the last folder that holds them."""
    found = [each for each in folders if (each / "alignment.parquet").is_file()]
    if not found:
        return ""
    alignment = pd.read_parquet(found[-1] / "alignment.parquet")
    paired, counts = (
        pd.read_parquet(path) if path.is_file() else None
        for path in (found[-1] / "differences.parquet", found[-1] / "trained.parquet")
    )
    lines = story(alignment, paired).splitlines() + ([] if paired is None else cause(paired, counts).splitlines())
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    blocks = "".join(
        f"<h3>{html.escape(name)}</h3>{block.to_html(escape=True, border=0)}"
        for name, block in tables.benchmarks(alignment).items()
    )
    return (
        f"<h2>Headline</h2><p>Balanced accuracy with its interval, by benchmark, model and subset.</p>"
        f"{blocks}<ul>{items}</ul>"
    )
