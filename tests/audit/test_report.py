"""The audit of a set finds each confound that was planted, and nothing in a clean set."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from aligngemini.audit import cues, duplicates, file_facts, findings, report
from aligngemini.core.params import Refused
from aligngemini.images import decode, jpeg, table
from tests.audit.conftest import MANY, scene


def _camera(rgb, saved):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    return saved(rgb, "JPEG", quality=90, exif=exif)


def _prompt(rgb, saved):
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", "a secret prompt")
    return saved(rgb, "PNG", pnginfo=told)


def test_a_clean_set_is_usable_and_leaves_nothing_out(lay):
    made = report.audit(str(lay()))
    assert made.verdict == findings.USABLE and made.clean and made.left_out.empty
    figures = made.parts.iloc[0]
    assert figures["real"] == figures["fake"] == MANY and (figures[list(duplicates.RELATIONS)] == 0).all()
    assert figures[list(cues.NAMES)].eq(0.5).all()


@pytest.mark.parametrize(
    ("cue", "write"),
    [
        ("format", lambda rgb, saved: jpeg.png(rgb)),
        ("size", lambda rgb, saved: jpeg.encode(rgb[:36, :46], 90)),
        ("aspect", lambda rgb, saved: jpeg.encode(rgb[:, :32], 90)),
        ("JPEG quality", lambda rgb, saved: jpeg.encode(rgb, 70)),
        ("camera EXIF", _camera),
        ("C2PA", lambda rgb, saved: jpeg.encode(rgb, 90) + b"jumb\0\0\0\x1ejumdc2pa"),
        ("near-constant", lambda rgb, saved: jpeg.encode(np.full_like(rgb, rgb[0, 0]), 90)),
    ],
)
def test_a_planted_confound_is_found(cue, write, lay, saved):
    made = report.audit(str(lay(lambda rgb: write(rgb, saved))))
    assert made.parts[cue][0] == 1.0 and f"{cue} (" in made.verdict and made.verdict.startswith("confounded by")
    assert not made.clean


def test_names_of_png_texts_are_a_cue_and_their_values_stay_unread(lay, saved):
    made = report.audit(str(lay(lambda rgb: _prompt(rgb, saved), jpeg.png)))
    assert made.verdict == "confounded by PNG text (AUROC 1.00)"
    assert set(made.images["texts"]) == {"", "parameters"}
    assert "secret" not in report.text(made) + made.images.to_csv()


def test_copies_are_counted_within_and_across_the_classes(lay):
    root = lay()
    for label in ("0_real", "1_fake"):
        first = sorted((root / label).iterdir())[0]
        (root / label / "again.jpg").write_bytes(first.read_bytes())
    (root / "1_fake" / "both.jpg").write_bytes(sorted((root / "0_real").iterdir())[1].read_bytes())
    (root / "1_fake" / "alike.jpg").write_bytes(
        jpeg.encode(decode.read(sorted((root / "0_real").iterdir())[2]).rgb, 90)
    )
    made = report.audit(str(root))
    found = made.parts.iloc[0]
    assert found["duplicates"] == 2 and found["two labels"] == 2 and found["near"] == 0
    assert found["near other class"] == 2
    assert "contradictory: 2 pictures are among the reals and among the fakes" in made.verdict
    assert "repetitive: 2 of 28 are copies" in made.verdict


def test_what_stands_in_training_leaks_by_content_and_by_looks(lay):
    root, train = lay(), lay(name="train", start=1000)
    tested = sorted((root / "0_real").iterdir())
    (train / "0_real" / "same.jpg").write_bytes(tested[0].read_bytes())
    (train / "0_real" / "worn.jpg").write_bytes(jpeg.encode(decode.read(tested[1]).rgb, 60))
    made = report.audit(str(root), [str(train)])
    assert made.verdict == "leaking: 1 test picture is also in training, 1 test picture is like one in training"
    assert made.training == {str(train): 2 * MANY + 2}
    assert report.audit(str(lay(name="other", start=2000)), [str(train)]).clean


def _table(root, path, **columns):
    rows = []
    for number, file in enumerate(sorted(root.rglob("*.jpg"))):
        label = int(file.parent.name[0])
        rows.append(decode.identify(file) | {"path": str(file), "label": label, "axis": ("none", "both")[label],
                    "subset": "a", "benchmark": "b", "pair_id": str(number)} | columns)  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    table.frame(rows).to_parquet(path)
    return path


def test_the_test_table_of_a_run_is_held_against_its_training_tables(lay, tmp_path):
    root = lay()
    path = _table(root, tmp_path / "run" / "test.parquet", split="test")
    _table(root, tmp_path / "run" / "pixel.parquet", split="train")
    for text in (path, path.parent):
        made = report.audit(str(text))
        assert made.parts["in training"][0] == made.parts["origin in training"][0] == 2 * MANY
        assert list(made.training) == [str(path.with_name("pixel.parquet"))]


def test_the_joint_validation_set_counts_as_training_unless_it_is_empty(lay, tmp_path):
    path = _table(lay(), tmp_path / "run" / "test.parquet", split="test")
    joint = _table(lay(name="other", start=100), tmp_path / "run" / "joint.parquet", split="joint")
    assert list(report.audit(str(path)).training) == [str(joint)]
    table.frame([]).to_parquet(joint)
    assert not report.audit(str(path)).training


def test_a_picture_in_two_splits_of_one_table_is_shown_not_refused(lay, tmp_path):
    root = lay()
    path = _table(root, tmp_path / "run" / "semantic.parquet", split="train", pair_id="")
    rows = pd.read_parquet(path)
    pd.concat([rows, rows.head(3).assign(split="validation")]).to_parquet(path)
    assert report.audit(str(path)).parts["in training"][0] == 3


def test_pairs_that_look_alike_on_purpose_are_no_finding(tmp_path):
    root = tmp_path / "pairs"
    for label in ("0_real", "1_fake"):
        (root / label).mkdir(parents=True)
        for number in range(MANY):
            rgb = scene(48, 40, number)
            (root / label / f"{number:02}.jpg").write_bytes(jpeg.encode(rgb if label[0] == "0" else rgb // 2 * 2, 90))
    rows = pd.read_parquet(_table(root, tmp_path / "run" / "pixel.parquet", split="validation"))
    assert report.audit(str(tmp_path / "run" / "pixel.parquet")).parts["near other class"][0] == 2 * MANY
    pairs = [path.rsplit("/", 1)[1] for path in rows["path"]]
    rows.assign(pair_id=pairs).to_parquet(tmp_path / "run" / "pixel.parquet")
    assert report.audit(str(tmp_path / "run" / "pixel.parquet")).parts["near other class"][0] == 0


def test_what_is_left_out_is_told_by_reason_and_place(lay):
    root = lay()
    (root / "half.tar.gz").write_bytes(b"x")
    (root / "0_real" / "cut.jpg").write_bytes((root / "0_real" / "0.img.jpg").read_bytes()[:400])
    (root / "stray.jpg").write_bytes(b"x")
    (root / "lone" / "1_fake").mkdir(parents=True)
    (root / "lone" / "1_fake" / "1.jpg").write_bytes(jpeg.encode(np.zeros((48, 40, 3), np.uint8), 90))
    made = report.audit(str(root))
    reasons = made.left_out.set_index(made.left_out["path"].str.rsplit("/", n=1).str[1])["reason"]
    assert set(reasons.index) == {"half.tar.gz", "cut.jpg", "stray.jpg"}
    assert (
        "archive" in reasons["half.tar.gz"]
        and "cut short" in reasons["cut.jpg"]
        and "no folder" in reasons["stray.jpg"]
    )
    assert made.parts.set_index("part")["verdict"]["lone"] == "one-sided: no real picture"
    assert "lone" in made.verdict and "half.tar.gz" in report.text(made) and not made.clean


def test_a_second_audit_reads_for_the_probe_alone(lay, monkeypatch):
    root = lay()
    first = report.audit(str(root))
    monkeypatch.setattr(file_facts, "_read", None)
    pd.testing.assert_frame_equal(report.audit(str(root)).parts, first.parts)


def _stacked(*rgbs):
    return np.stack([np.frombuffer(duplicates.thumbnails(rgb), np.uint8) for rgb in rgbs])


def test_likeness_finds_what_a_comparison_of_all_finds():
    rng = np.random.default_rng(0)
    firsts = [scene(64, 64, seed) for seed in range(60)]
    worn = [(rgb.astype(int) + rng.normal(0, noise, rgb.shape)).clip(0, 255).astype(np.uint8)
            for rgb, noise in zip(firsts, rng.integers(0, 200, 60), strict=True)]  # fmt: skip
    others = worn + firsts[:20]
    groups, other_groups = rng.integers(0, 40, len(firsts)), rng.integers(0, 40, len(others))
    first, second = _stacked(*firsts), _stacked(*others)
    apart = np.bitwise_count(duplicates.hashes(first)[:, None] ^ duplicates.hashes(second))
    close = np.stack([duplicates.are_close(one, second) for one in first])
    expected = (apart <= duplicates.FAR) & close & (groups[:, None] != other_groups)
    images, others = ([duplicates.thumbnails(rgb) for rgb in side] for side in (firsts, others))
    found = duplicates.find_similar(images, groups, others, other_groups)
    assert (found >= 0).tolist() == expected.any(1).tolist() and 10 < (found >= 0).sum() < 60
    assert expected[found >= 0, found[found >= 0]].all()
    assert (duplicates.find_similar([], groups[:0], others, other_groups) == -1).all()
    assert (duplicates.find_similar(images, groups, [], other_groups[:0]) == -1).all()


def _alike(*pictures):
    seen = [duplicates.thumbnails(rgb) for rgb in pictures]
    return duplicates.find_similar(seen[:1], np.array([0]), seen[1:], np.arange(1, len(seen)))[0] >= 0


def test_a_smaller_recompressed_copy_looks_the_same_and_another_picture_does_not():
    rgb = scene(200, 160, 1)
    copy = np.asarray(Image.fromarray(decode.read(jpeg.encode(rgb, 50)).rgb).resize((100, 80)))
    assert _alike(rgb, copy) and not _alike(rgb, scene(200, 160, 2))


def _page(seed):
    """A page of words as in a scan: uint8 [320, 240, 3]."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", (480, 640), (250, 249, 245))
    for top in range(50, 600, 16):
        line = "".join(rng.choice(list("aeinorst  "), rng.integers(50, 66)))
        ImageDraw.Draw(page).text((40, top), line, fill=(20, 20, 20))
    return np.asarray(page)


def test_pages_of_different_text_do_not_look_like_copies():
    pages = [_page(seed) for seed in range(60)]
    seen, own = [duplicates.thumbnails(rgb) for rgb in pages], np.arange(60)
    coarse = duplicates.hashes(_stacked(*pages))
    near = np.bitwise_count(coarse[:, None] ^ coarse) <= duplicates.FAR
    assert near.sum() > len(pages)  # the hash confuses some
    assert (duplicates.find_similar(seen, own, seen, own) == -1).all()
    assert _alike(pages[0], decode.read(jpeg.encode(pages[0], 60)).rgb)


def test_equal_shapes_of_other_colours_are_no_copies():
    shot = np.full((100, 100, 3), 255, np.uint8)
    shot[30:70, 25:75] = (150, 20, 60)
    other = shot.copy()
    other[30:70, 25:75] = (20, 60, 160)
    close = duplicates.are_close(_stacked(shot)[0], _stacked(other, decode.read(jpeg.encode(shot, 60)).rgb))
    assert close.tolist() == [False, True]


def test_many_images_that_are_all_copies_are_not_called_few(lay):
    made = report.audit(str(lay(lambda rgb: jpeg.encode(scene(48, 40, 1), 90), lambda rgb: jpeg.encode(rgb, 90))))
    assert "too alike to tell: 12 real, 12 fake, but of one class only 1 that differ" in made.verdict


def test_traces_of_damaged_metadata_are_none(saved, picture):
    whole = saved(picture(), "PNG")
    assert file_facts.metadata(whole) == {"camera": False, "c2pa": False, "texts": ""}
    with pytest.raises(decode.Unreadable):
        file_facts.metadata(b"no picture")


def test_small_sets_need_a_stronger_cue_than_large_ones():
    assert findings.bound(5000, 5000) == findings.CONFOUNDED < findings.bound(20, 20) < findings.bound(10, 10) < 1


def test_what_is_no_set_is_refused(tmp_path):
    (tmp_path / "odd.parquet").write_bytes(b"x")
    pd.DataFrame({"path": ["x"]}).to_parquet(tmp_path / "short.parquet")
    table.frame([]).to_parquet(tmp_path / "empty.parquet")
    (tmp_path / "damaged" / "0_real").mkdir(parents=True)
    (tmp_path / "damaged" / "0_real" / "x.png").write_bytes(b"x")
    for name in ("odd.parquet", "short.parquet", "nothing", "none.parquet", "empty.parquet", "damaged"):
        with pytest.raises(Refused):
            report.audit(str(tmp_path / name))


def test_the_files_of_an_audit_hold_its_parts_and_its_text(lay, tmp_path):
    made = report.audit(str(lay(jpeg.png)))
    folder = report.write(made, tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "audit.parquet"), made.parts)
    assert json.dumps(made.verdict)[1:-1] in (folder / "audit.md").read_text(encoding="utf-8")
    assert pd.read_csv(folder / "left_out.csv").empty


def test_cues_of_a_test_table_are_shown_with_those_that_tell_the_class():
    measured = pd.DataFrame({"set": ["test/a", "test/a", "test/b", "pixel"], "cue": ["size", "format", "size", "size"],
                             "auroc": [0.9, 0.6, float("nan"), 1.0]})  # fmt: skip
    rows = pd.DataFrame({"subset": ["a"] * 80 + ["b"], "label": [0, 1] * 40 + [1], "reason": ""})
    shown = findings.by_subset(measured, rows)
    assert shown["told_by"].to_dict() == {"test/a": "size", "test/b": ""} and list(shown.columns[:2]) == [
        "format",
        "size",
    ]
