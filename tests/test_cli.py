"""The command line: its exit codes, and that it stays fast and clear for people."""

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

import aligngemini
from aligngemini import cli
from aligngemini.core import stages
from aligngemini.core.manifest import DiskFull
from aligngemini.core.params import Refused
from aligngemini.vlm.params import VLMParams
from aligngemini.workflow import execute, plan, terminal


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def _python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def test_help_and_refusals_do_not_load_the_heavy_libraries():
    code = (
        "import sys; from aligngemini import cli\n"
        "assert cli.main(['run', '--scale', 'nothing']) == 2\n"
        "assert not {'torch', 'transformers', 'papermill', 'plotly'} & set(sys.modules)"
    )
    done = _python(code)
    assert done.returncode == 0, done.stderr
    assert "there is no scale 'nothing'" in done.stderr


@pytest.mark.parametrize("words", [[], ["fly"], ["run", "--fast"], ["runs", "--csv"]])
def test_words_that_are_no_command_are_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2 and "usage: aligngemini" in capsys.readouterr().err


def _help(*words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*words, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_the_commands_and_each_has_its_own(capsys):
    commands = re.findall(r"^    (\w+)", _help(capsys=capsys), flags=re.MULTILINE)
    assert {"run", "reproduce", "detect", "teach"} < set(commands)
    for command in commands:
        assert f"usage: aligngemini {command} " in _help(command, capsys=capsys)


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0 and aligngemini.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("no"), 2),
        (execute.StageRefused("no"), 2),
        (execute.Failed("no"), 1),
        (DiskFull("no"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_end_has_its_exit_code_and_one_line(error, code, monkeypatch, capsys):
    def end(*_, **__):
        raise error

    monkeypatch.setattr(execute, "run", end)
    assert cli.main(["run", "--scale", "smoke", "--only", "01"]) == code
    said = capsys.readouterr().err
    assert said.startswith("aligngemini: ") and said.count("\n") == 1


def test_where_no_temporary_file_can_be_written_one_sentence_says_so(monkeypatch, capsys):
    """As on a full disk. Libraries ask for a folder of temporary files when they are imported."""
    nowhere = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")
    monkeypatch.setattr(execute, "run", Mock(side_effect=nowhere))
    monkeypatch.setattr(tempfile, "mkstemp", Mock(side_effect=nowhere))
    assert cli.main(["run", "--scale", "smoke", "--only", "01"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("aligngemini: FileNotFoundError: ") and said.count("\n") == 1
    assert "No usable temporary directory found in ['/tmp', '/var/tmp']" in said and "with TMPDIR" in said


def test_a_command_ends_at_once_with_its_code(monkeypatch):
    ended = []
    monkeypatch.setattr(sys, "argv", ["aligngemini", "run", "--scale", "nothing"])
    monkeypatch.setattr(terminal, "end", ended.append)
    assert cli.main() == 2 and ended == [2]


@pytest.mark.parametrize("jobs", ["0", "-1", "2.5", "all"])
def test_a_dry_run_refuses_a_number_of_jobs_as_the_run_would(jobs, capsys):
    assert cli.main(["run", "--scale", "smoke", "--dry", "--jobs", jobs]) == 2
    assert "--jobs takes a whole number of at least 1" in capsys.readouterr().err


def test_a_dry_run_says_what_is_wrong_with_every_stage_whatever_the_jobs(capsys):
    assert cli.main(["run", "--scale", "smoke", "--dry", "--jobs", "2", "-p", "seed", "x"]) == 2
    assert "5 of " in capsys.readouterr().out.splitlines()[-1]


def test_runs_lists_nothing_and_then_as_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["runs", "--outputs", "elsewhere"]) == 0
    assert "`aligngemini run --scale mini --outputs elsewhere`" in capsys.readouterr().out
    assert cli.main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_outputs_is_relative_to_where_one_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / stages.DATA / "0123456789ab").mkdir(parents=True)
    assert cli.main(["runs", "--outputs", "mine"]) == 0
    assert "unreadable" in capsys.readouterr().out


def test_a_whole_run_ends_with_the_headline_the_report_and_what_to_do_next(outputs, monkeypatch, capsys):
    from aligngemini.analysis import answers

    made = [
        SimpleNamespace(notebook=name, folder=outputs / name / "0123456789ab")
        for name, stage in stages.STAGES.items()
        if not stage.asked
    ]
    monkeypatch.setattr(execute, "run", lambda plans, force, jobs: [made])
    monkeypatch.setattr(answers, "headline", lambda folder: "world\nvlm 81.0")
    assert cli.main(["run", "--scale", "smoke"]) == 0
    said = capsys.readouterr().out
    assert "81.0" in said and "05_analysis/0123456789ab/report.html" in said and "next: " in said
    assert not made[-1].folder.exists(), "the command writes nothing there itself"


def test_after_notebook_06_no_command_is_advised_that_would_refuse_its_parameters(outputs, monkeypatch, capsys):
    whole = plan.make("smoke")
    monkeypatch.setattr(plan, "make", lambda *given: whole)
    peers = SimpleNamespace(notebook=stages.PEERS, folder=outputs / stages.PEERS / "0123456789ab")
    monkeypatch.setattr(execute, "run", lambda plans, force, jobs: [[peers]])
    assert cli.main(["run", "--scale", "smoke", "--only", "06", "-p", "peers", "[frequency]"]) == 0
    said = capsys.readouterr().out
    assert "aligngemini run" not in said and "next: the notebooks" in said and "06_peers/0123456789ab" in said


def test_pretrain_hands_its_words_on(monkeypatch):
    from aligngemini.mini import pretrain

    called = []
    monkeypatch.setattr(pretrain, "main", lambda *words: called.append(words))
    assert cli.main(["mini", "pretrain", "--only", "kl", "--out", "x", "--steps", "3"]) == 0
    assert called == [("kl", "x", 3, 0)]


def test_every_stage_can_be_asked_alone():
    for stage in stages.STAGES:
        assert {item.stage.name for item in plan.make("smoke", only=stage[:2]).mine} == {stage}


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="Detektor"):
        _ = aligngemini.Detektor


def _a_file(path):
    path.write_text("")


def _a_link_to_itself(path):
    path.symlink_to(path)


@pytest.mark.parametrize("put", [_a_file, _a_link_to_itself, os.mkfifo])
@pytest.mark.parametrize("below", ["", "runs"])
@pytest.mark.parametrize(
    "words", [["run"], ["runs"], ["sweep", "alignment"], ["detect", "x"], ["bench", "--benchmark", "x"]]
)
def test_outputs_where_no_folder_can_be_are_refused_in_one_sentence(words, below, put, tmp_path, capsys):
    place = tmp_path / "place"
    put(place)
    assert cli.main([*words, "--outputs", str(place / below)]) == 2
    said = capsys.readouterr().err
    assert "place" in said and ("is no folder; choose another place with --outputs" in said or "can be no path" in said)


@pytest.mark.parametrize("folder", ["", "  ", "a\0b", "x" * 300, "x/" * 5000, "~nobody at all/x"])
def test_outputs_that_are_no_path_are_refused(folder, capsys):
    assert cli.main(["runs", "--outputs", folder]) == 2
    assert len(capsys.readouterr().err) < 600


def test_outputs_may_be_a_link_to_a_folder_that_is_not_there_yet(tmp_path, capsys):
    (tmp_path / "link").symlink_to(tmp_path / "later" / "runs")
    assert cli.main(["runs", "--outputs", str(tmp_path / "link")]) == 0


def test_a_file_that_the_environment_names_for_the_outputs_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "file"))
    assert cli.main(["runs"]) == 2 and "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "seed", ["4294967296", "-1", "true", "1" + "0" * 5000, "0x" + "f" * 5000, "&a [*a]", "2020-99-99"]
)
def test_a_seed_that_no_notebook_takes_is_refused_before_anything_runs(seed, capsys, outputs):
    assert cli.main(["run", "--scale", "smoke", "--seed", seed]) == 2
    said = capsys.readouterr().err
    assert "seed" in said and len(said) < 600 and not outputs.exists()


def test_the_range_of_seeds_is_said_by_run_sweep_and_notebooks(capsys):
    told = "seed must be at least 0 and at most 4294967295, got 4294967296"
    assert cli.main(["run", "--seed", "4294967296"]) == 2 and told in capsys.readouterr().err
    assert cli.main(["sweep", "alignment", "--seeds", "0,4294967296"]) == 2 and told in capsys.readouterr().err
    with pytest.raises(Refused, match=told):
        VLMParams(seed=2**32)
    assert VLMParams(seed=2**32 - 1).seed == 2**32 - 1


ODD = ["²", "٣", "9" * 5000, "07", "x" * 300, "\udce9", "a\0b", "../01", "1.0", "-1"]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("option", ["--from", "--only", "--scale", "--study"])
def test_odd_names_of_stages_scales_and_studies_are_refused(option, text, capsys):
    assert cli.main(["run", f"{option}={text}"]) == 2
    assert len(capsys.readouterr().err) < 900


def test_no_stage_at_all_has_no_parameters_to_list(capsys):
    assert cli.main(["run", "--help-params", ""]) == 2
    assert "there is no stage ''" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x" * 300, "a\0b", "\udce9", "", "x/" * 5000])
@pytest.mark.parametrize(
    "words", [["detect"], ["audit"], ["bench", "--benchmark"], ["run", "-p", "photos"], ["run", "-p", "base"]]
)
def test_odd_paths_are_refused(words, text, capsys):
    assert cli.main([*words, text]) == 2
    assert len(capsys.readouterr().err) < 900


def test_an_error_that_nobody_thought_of_is_one_sentence_and_a_file(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cli, "_runs", lambda args: 1 / 0)
    monkeypatch.setenv("SOME_TOKEN", "ZeroDivision")
    assert cli.main(["runs"]) == 1
    (written,) = tmp_path.glob("aligngemini-*.txt")
    assert f"The traceback is in {written}" in capsys.readouterr().err
    assert "Traceback" in written.read_text() and "division by zero" in written.read_text()
    assert "ZeroDivision" not in written.read_text()


def test_a_name_that_no_terminal_can_show_stops_no_listing(outputs):
    code = f"""
import sys
import tempfile
from types import SimpleNamespace
from unittest.mock import Mock
from aligngemini import cli
from aligngemini.core import runs
runs.all = lambda: [{{"run": {{"notebook": "01", "name": "x", "status": "failed", "error": "no \\udce9",
    "folder": "x"}}, "question": {{"params": {{}}, "inputs": {{}}}}, "results": {{}}, "files": {{}}}}]
assert cli.main(["runs", "--outputs", {str(outputs)!r}]) == 0
"""
    done = _python(code)
    assert done.returncode == 0 and "\\udce9" in done.stdout, done.stderr
