"""A disk that is full while a plan runs."""

import errno
import tempfile
from unittest.mock import Mock

from aligngemini.core import manifest, stages
from aligngemini.workflow import kernel

VLM, EXPERT = stages.VLM, stages.EXPERT


def test_a_full_disk_of_temporary_files_is_told_as_such_and_the_run_goes_on_later(little, inline, monkeypatch):
    """The executed notebook and the files of its kernel lie there; the disk of the outputs has room."""
    (little.root / "brief").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(little.root / "brief"))
    free = Mock(side_effect=lambda folder: Mock(free=0 if folder.name == "brief" else 2**30))
    with monkeypatch.context() as full:
        full.setattr(manifest.shutil, "disk_usage", free)
        full.setattr(kernel, "execute", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 1 and "--outputs" not in said
    assert (
        f"no space left for {little.root / 'brief'} (0 MB free): free some, or choose another disk with TMPDIR" in said
    )
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0


def test_a_full_disk_ends_the_run_at_the_first_stage_with_one_sentence(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    full = 'from aligngemini.core.manifest import DiskFull\nraise DiskFull("no space left for outputs: free some")'
    for notebook in (VLM, EXPERT):
        little.write(notebook, full)
    code, said = little.run("run", "--scale", "tiny", "--from", "02", "--jobs", "1")
    assert code == 1 and said.count("no space left") == 1 and "the others go on" not in said, said
    assert not list(little.outputs.glob(f"{EXPERT}/.*.partial")), "no other stage was started"
