"""Scheduled lines of papermill: they answer and refuse as the runner does."""

import pytest

from aligngemini.core import stages

DATA = stages.DATA


@pytest.fixture
def papermill(little, monkeypatch):
    """Papermill's own command line on notebook 01: words -> exit code, and all it said."""
    from click.testing import CliRunner
    from papermill.cli import papermill as command

    monkeypatch.chdir(little.root)
    monkeypatch.setenv("PYTHONPATH", little.environment["PYTHONPATH"])

    def run(*words):
        done = CliRunner().invoke(command, [str(little.root / "notebooks" / f"{DATA}.ipynb"), *words])
        return done.exit_code, f"{done.output} {done.exception}"

    return run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-p", "train_image", "8"), "did you mean 'train_images'"),
        (("-p", "seed", "true"), "seed must be an int"),
        (("-y", "degrade_noise: [half, 1.0]"), "degrade_noise[0] must be a float"),
    ],
)
def test_a_scheduled_papermill_line_is_refused_too(little, papermill, words, told):
    code, said = papermill("out.ipynb", "-p", "vae", str(little.root / "model"), *words)
    assert code != 0 and told in said


def test_a_scheduled_papermill_line_answers_the_runners_question(little, papermill):
    recipe = little.root / "notebooks" / "recipes" / "tiny" / f"{DATA}.yaml"
    code, said = papermill("out.ipynb", "-f", str(recipe), "-p", "scale", "tiny")
    assert code == 0, said
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 0 and len(little.manifests(DATA)) == 1
    assert little.manifests(DATA)[0]["run"]["attempts"] == 1


def test_papermills_help_lists_the_parameters(papermill):
    code, said = papermill("--help-notebook")
    assert code == 0
    assert "seed: int (default 0)" in said and "seed of all random numbers" in said
