"""Cells that look at pictures, on tables as folders give them: no twins, no remarks, and files that have no score."""

import nbformat
import pandas as pd
import pytest
from PIL import Image

from aligngemini.analysis import figures, pictures, published, style
from aligngemini.core import paths, stages
from aligngemini.expert import objective
from aligngemini.expert.params import ExpertParams
from aligngemini.images import decode
from aligngemini.scores.metrics import BALANCED
from aligngemini.vlm import verdict


@pytest.fixture
def train(tmp_path):
    """Rows of twelve reals and then twelve fakes, as the semantic set of folders has them."""
    rows = []
    for number in range(24):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (16, 16), (number, 0, 0)).save(path)
        told = {"path": str(path), "image_id": f"{number:02}", "pair_id": f"p{number:02}", "split": "train"}
        rows.append(told | {"label": number // 12, "axis": ("none", "semantic")[number // 12]})
    return pd.DataFrame(rows).assign(family="", remark="", subset="semantic", reason="")


def look(notebook: str, part: str, **names):
    """Run the one code cell of a notebook that holds `part`; what it shows last, and its names."""
    book = nbformat.read(paths.notebook(notebook), as_version=4)
    (source,) = [cell.source for cell in book.cells if cell.cell_type == "code" and part in cell.source]
    *body, last = source.splitlines()
    names |= {"pd": pd, "published": published, "pictures": pictures, "decode": decode, "Image": Image}
    exec("\n".join(body), names)
    return eval(last, names), names


def test_the_semantic_set_is_shown_with_both_classes_each_under_its_name(train):
    sheet, names = look(stages.DATA, "twins =", semantic=train)
    said = [line.split("<")[0].strip() for line in sheet.data.split(">") if "plausible" in line]
    assert said.count("plausible") == said.count("implausible") == len(names["examples"])


def test_notebook_02_looks_at_both_classes(train, monkeypatch):
    sheet, _ = look(stages.VLM, "pictures.truth)", train=train)
    assert sheet.data.count(">real<") == sheet.data.count(">fake, semantic<") == 4
    monkeypatch.setattr(verdict, "p_fake", lambda base, shown: pd.Series([0.5] * len(shown)))
    few = train.groupby("label").head(2)
    table, _ = look(stages.VLM, "of the untrained base", few=few, shown=list(few.path), verdict=verdict, untrained=None)
    assert table.label.tolist() == [0, 0, 1, 1]


def test_the_surest_pictures_are_pictures_with_a_score(train):
    judged = train.assign(score=[0.1 + number / 100 for number in range(20)] + [float("nan")] * 4)
    sheet, names = look(stages.EXPERT, "ends =", judged=judged)
    assert len(names["ends"]) == 8 and "nan" not in sheet.data


@pytest.mark.parametrize(("weight", "lines"), [(0.0, 1), (0.5, 0)])
def test_the_loss_of_guessing_is_drawn_where_there_is_one(weight, lines):
    history = pd.DataFrame({"step": [1, 2], "loss": [0.8, 0.7], "learning_rate": [1e-4, 1e-5]})
    told = {"figures": figures, "objective": objective, "cfg": ExpertParams(contrastive_weight=weight)}
    figure, _ = look(stages.EXPERT, "figures.training", history=history, **told)
    assert len(figure.layout.shapes) == lines


class Kept(dict):
    """A run that keeps what is saved."""

    def save(self, name, value):
        self[name] = value
        return value


def test_every_published_number_of_what_we_measured_is_shown_and_all_are_saved(monkeypatch):
    subsets = published.load().query("benchmark == 'genimage' and metric == @BALANCED").subset.unique()
    told = {"value": 0.5, "low": 0.4, "high": 0.6, "metric": BALANCED, "benchmark": "genimage", "alike": False}
    ours = pd.DataFrame([told | {"title": f"model {i}", "subset": each} for each in subsets for i in range(9)])
    monkeypatch.setattr(published, "marked", lambda alignment, models, fusion: alignment)
    monkeypatch.setattr(published, "measured", lambda alignment: ours)
    style.use()
    cell = {"alignment": None, "compared": [], "fusion": None}
    shown, names = look(stages.ANALYSIS, "published.beside", run=Kept(), **cell)
    assert set(shown.difference) == {published.PROTOCOL}
    assert len(shown) > 60 and not shown["ours, %"].isin([published.OTHER, published.NOT_RUN]).any()
    assert "<td>...</td>" not in shown._repr_html_()
    assert len(names["run"]["published.parquet"]) == len(names["beside"]) > len(shown)


@pytest.mark.parametrize("notebook", [stages.VLM, stages.EXPERT])
def test_an_adapter_is_uploaded_from_where_it_stays(notebook):
    """A run moves when it is complete: before that, the command for a later upload would name a folder that goes."""
    book = nbformat.read(paths.notebook(notebook), as_version=4)
    finish, push = (
        next(place for place, cell in enumerate(book.cells) if part in cell.source)
        for part in ("run.finish(", "hub.push(")
    )
    assert finish < push and 'run.path("adapter")' in book.cells[push].source
