"""Secrets stand in no sentence, manifest, log or executed notebook of a run that fails."""

import json

import pytest

from aligngemini.core import redaction, runs, stages

TOKEN = "hf_" + "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("no answer from https://user:pa55@host/x", "no answer from https://***@host/x"),
        ("no answer from https://user:p@55@host/x", "no answer from https://***@host/x"),
        (f"the token {TOKEN} is stale", "the token *** is stale"),
        ("{'Authorization': 'Bearer abc.def-1'}", "{'Authorization': 'Bearer ***'}"),
        ("Authorization: Basic dXNlcjpwYTU1", "Authorization: Basic ***"),
        ("https://host/x?a=1&X-Amz-Signature=f00&token=t", "https://host/x?a=1&***&***"),
        ("https://host/a@b and someone@example.org", "https://host/a@b and someone@example.org"),
        ("a basic idea of a bearer", "a basic idea of a bearer"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_nothing_else(text, clean):
    assert redaction.hidden(text) == clean
    assert redaction.hidden({"a": [text, 1, None]}) == {"a": [clean, 1, None]}


def test_what_the_environment_says_is_secret_is_hidden_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://me:horse battery@mirror")
    monkeypatch.setenv("SOME_TOKEN", "a-long-secret")
    monkeypatch.setenv("OTHER_TOKEN", "1")
    assert redaction.hidden("horse battery, a-long-secret, 1 and me") == "***, ***, 1 and me"


def test_a_notebook_half_written_is_cleaned_as_text(tmp_path):
    (tmp_path / "x.ipynb").write_text('{"cells": ["https://a:secret@b')
    redaction.hide(tmp_path / "x.ipynb")
    assert "secret" not in (tmp_path / "x.ipynb").read_text()
    redaction.hide(tmp_path / "nothing.ipynb")


def test_a_failed_run_keeps_no_password_anywhere(little):
    address = "address = 'https://someone:' + os.environ['PASS'] + '@mirror/x'"
    error = "import sys\nprint(address, file=sys.stderr)\nprint(address)\nraise OSError('no answer from ' + address)"
    little.write(stages.DATA, f"{address}\n{error}")
    code, said = little.run("run", "--scale", "tiny", PASS="geheim55")
    assert code == 1 and "OSError: no answer from https://***@mirror/x" in said
    (record,) = runs.all()
    written = [path for path in little.outputs.rglob("*") if path.is_file()]
    assert {"notebook.ipynb", "manifest.json"} <= {path.name for path in written}
    assert not [path for path in written if b"geheim55" in path.read_bytes()]
    assert "geheim55" not in said + json.dumps(record)
