"""Secrets stand in no sentence, manifest, log or executed notebook of a run that fails."""

import errno
import json
from pathlib import Path
from unittest.mock import Mock

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
        ("https://host/x?sig=f%2F&sv=1", "https://host/x?***&sv=1"),
        ("https://host/a@b and someone@example.org", "https://host/a@b and someone@example.org"),
        ("a basic idea of a bearer", "a basic idea of a bearer"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_nothing_else(text, clean):
    assert redaction.hidden(text) == clean
    assert redaction.hidden({"a": [text, 1, None]}) == {"a": [clean, 1, None]}


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("s3://bucket/shards/", "s3://bucket/shards/"),
        ("https://me:pass@host/x/a.tar", "https://host/x/a.tar"),
        ("https://host/a.tar?X-Amz-Date=1&X-Amz-Credential=c&X-Amz-Signature=s", "https://host/a.tar"),
        ("https://host/a.tar?versionId=7&sv=1&se=2&sp=r&sig=s", "https://host/a.tar?versionId=7"),
        ("https://host/a.tar?Expires=1&Signature=s&Key-Pair-Id=k", "https://host/a.tar"),
        ("https://host/a.tar?page=2&se=1", "https://host/a.tar?page=2&se=1"),
    ],
)
def test_an_address_is_written_without_password_and_signature(address, clean):
    assert redaction.public(address) == clean


def test_addresses_that_differ_in_a_key_or_token_stay_apart_and_do_not_tell_it():
    one, other = (redaction.public(f"https://host/get?key=canary-{each}") for each in "ab")
    assert one != other and one.startswith("https://host/get?***#") and "canary" not in one + other


def test_what_the_environment_says_is_secret_is_hidden_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://me:horse battery@mirror")
    monkeypatch.setenv("SOME_TOKEN", "a-long-secret")
    monkeypatch.setenv("OTHER_TOKEN", "1")
    assert redaction.hidden("horse battery, a-long-secret, 1 and me") == "***, ***, 1 and me"


@pytest.mark.parametrize("name", ["SECRET_KEY", "KAGGLE_KEY", "AZURE_STORAGE_CONNECTION_STRING", "DB_PASS", "TOKEN_2"])
def test_variables_that_hold_a_secret_are_known_by_their_usual_names(name, monkeypatch):
    monkeypatch.setenv(name, "a-long-secret")
    assert redaction.hidden("it is a-long-secret") == "it is ***"


def test_a_secret_is_hidden_in_the_names_of_json_too(monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "a-long-secret")
    assert redaction.hidden({"data": [{"a-long-secret": 1}]}) == {"data": [{"***": 1}]}


def test_a_secret_of_several_lines_is_hidden_as_python_and_json_write_it_and_line_by_line(monkeypatch):
    secret = '-- begin --\nfirst"line\nsecond\\line'
    monkeypatch.setenv("SOME_SECRET", secret)
    assert redaction.hidden([f"<{secret!r}>", json.dumps([secret])]) == ["<'***'>", '["***"]']
    assert redaction.hidden(secret.splitlines(True)) == ["***\n", "***\n", "***"]


def test_a_secret_is_hidden_as_a_page_and_an_address_write_it(monkeypatch):
    monkeypatch.setenv("SOME_SECRET", 'one"and&two')
    assert redaction.hidden("<b>one&quot;and&amp;two</b> ?x=one%22and%26two") == "<b>***</b> ?x=***"


def test_a_secret_that_is_no_utf_8_is_hidden_too(monkeypatch):
    monkeypatch.setenv("SOME_SECRET", "long-\udcff-secret")
    assert redaction.hidden("it is long-\udcff-secret, or long-%FF-secret") == "it is ***, or ***"


@pytest.mark.parametrize(
    "source",
    [
        "token = 'open-sesame'",
        'api_key: str = r"open-sesame"',
        "os.environ['HF_TOKEN'] = 'open-sesame'",
        "os.environ.setdefault('HF_TOKEN', 'open-sesame')",
        "login(token='open-sesame')",
        "config = {'password': 'open-sesame'}",
        "%env HF_TOKEN=open-sesame",
        "%set_env HF_TOKEN open-sesame",
    ],
)
def test_a_secret_that_a_cell_gives_a_name_is_known(source):
    assert redaction.of_notebook({"cells": [{"cell_type": "code", "source": [source]}]}) == {"open-sesame"}


@pytest.mark.parametrize(
    "source",
    [
        "pad_token = '<|endoftext|>'",
        "token = environ['HF_TOKEN']",
        "tokens = 'open-sesame'",
        "print('token:', 'it is one')",
        "table[['token', 'probability']]",
        "if token == 'open-sesame': pass",
        "names = {'token': 'a word or a part of it'}",
    ],
)
def test_a_text_that_only_stands_near_such_a_name_is_no_secret(source):
    assert redaction.of_notebook({"cells": [{"cell_type": "code", "source": source}]}) == set()


def test_a_notebook_is_cleaned_whole_or_stays_as_it_is(tmp_path, monkeypatch):
    notebook = tmp_path / "x.ipynb"
    notebook.write_text(before := '{"cells": [], "metadata": {"from": "https://a:secret@b"}}')
    monkeypatch.setattr(Path, "replace", full := Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        redaction.hide(notebook)
    assert full.called and notebook.read_text() == before and list(tmp_path.iterdir()) == [notebook]


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


def test_a_secret_set_in_a_cell_reaches_no_file_of_a_run(little):
    secret = "import os\nos.environ['HF_TOKEN'] = 'canary-token'\nprint(os.environ['HF_TOKEN'])"
    little.write(stages.DATA, secret, "raise OSError('no answer to ' + os.environ['HF_TOKEN'])")
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 1 and "OSError: no answer to ***" in said
    written = [path for path in little.outputs.rglob("*") if path.is_file()]
    assert {"notebook.ipynb", "manifest.json"} <= {path.name for path in written}
    assert not [path for path in written if b"canary" in path.read_bytes()]


def test_secrets_of_the_environment_reach_no_file_of_a_run_whatever_a_notebook_prints(little):
    show = "import sys\nprint(dict(os.environ))\nprint(dict(os.environ), file=sys.stderr)\ndict(os.environ)"
    little.write(stages.DATA, show, "run.finish({})")
    secrets = {
        "HF_TOKEN": "canary-token",
        "AWS_SECRET_ACCESS_KEY": "canary-key",
        "HTTP_PROXY": "http://me:canary5@host",
    }
    code, said = little.run("run", "--scale", "tiny", "--only", "01", **secrets)
    assert code == 0 and "canary" not in said
    written = [path for path in little.root.rglob("*") if path.is_file()]
    assert {"notebook.ipynb", "manifest.json"} <= {path.name for path in written}
    assert not [path for path in written if b"canary" in path.read_bytes()]


@pytest.mark.parametrize("name", ["photos", "vae"])
def test_a_parameter_or_recipe_that_holds_a_secret_is_refused_and_not_repeated(little, name):
    for text in ("https://me:canary-pass@host/x", "owner/" + TOKEN):
        code, said = little.run("run", "--scale", "tiny", "--only", "01", "-p", name, text)
        assert code == 2 and f"{name} holds a password or a token" in said
        assert "canary" not in said and TOKEN not in said
    little.recipe(f"tiny/{stages.DATA}", {name: "https://me:canary-pass@host/x"})
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 2 and "holds a password" in said and "canary" not in said and not little.outputs.exists()
