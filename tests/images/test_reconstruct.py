"""Pairs: both members alike in everything but the autoencoder's touch, whatever the photograph is."""

import json
import threading

import numpy as np
import pandas as pd
import pytest
from PIL import Image, JpegImagePlugin

from aligngemini.core import atomic
from aligngemini.images import autoencoder, decode, jpeg, reconstruct, sets
from aligngemini.images.params import DataParams
from tests.images.conftest import Smoother

DDA = DataParams(reconstruction="dda", pair_format="png")


@pytest.fixture
def photographs(tmp_path):
    """Write bytes under names, give rows."""

    def make(**files: bytes) -> pd.DataFrame:
        (tmp_path / "photos").mkdir(exist_ok=True)
        rows = []
        for name, data in files.items():
            path = tmp_path / "photos" / name
            path.write_bytes(data)
            rows.append({"path": str(path), "split": "train", "kind": "thing"} | decode.identify(path))
        return pd.DataFrame(rows)

    return make


def container(path: str) -> tuple:
    image = Image.open(path)
    tables = jpeg.component_tables(image) if image.format == "JPEG" else None
    sampling = JpegImagePlugin.get_sampling(image) if image.format == "JPEG" else None
    return image.format, image.mode, image.size, tables, sampling


def two(made: pd.DataFrame) -> tuple[dict, dict]:
    real, fake = made.sort_values("label").to_dict("records")
    return real, fake


def test_a_plain_jpeg_stays_where_it_is_and_gets_a_twin(photographs, picture, saved, tmp_path):
    tables = [[7] * 64, [9] * 64]
    rows = photographs(a=saved(picture(), "JPEG", qtables=tables, subsampling=1))
    made, failed = reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams())
    real, fake = two(made)
    assert len(failed) == 0 and real["path"] == rows["path"][0] and real["image_id"] == rows["image_id"][0]
    assert container(real["path"]) == container(fake["path"])
    assert (real["label"], real["axis"], fake["label"], fake["axis"]) == (0, "none", 1, "pixel")
    assert real["pair_id"] == fake["pair_id"] and fake["generator"] == "smoother" and fake["kind"] == "thing"
    assert real["remark"] != fake["remark"] and real["jpeg_quality"] == fake["jpeg_quality"]


def test_the_reconstruction_is_the_autoencoders(photographs, picture, saved, tmp_path):
    rows = photographs(a=saved(picture(), "PNG"))
    _, fake = two(reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams())[0])
    assert (decode.read(fake["path"]).rgb == Smoother().roundtrip(picture()[None])[0]).all()


@pytest.mark.parametrize("case", ["rotated", "cmyk", "transparent", "gif", "webp", "large"])
def test_where_the_container_cannot_stay_both_members_are_written_alike(
    photographs, picture, saved, rotated_exif, tmp_path, case
):
    image = Image.fromarray(picture(150, 90))
    data = {
        "rotated": lambda: saved(image, "JPEG", exif=rotated_exif(6)),
        "cmyk": lambda: saved(image.convert("CMYK"), "JPEG"),
        "transparent": lambda: saved(image.convert("RGBA"), "PNG"),
        "gif": lambda: saved(image, "GIF"),
        "webp": lambda: saved(image, "WEBP"),
        "large": lambda: saved(image, "JPEG", quality=60),
    }[case]()
    made, _ = reconstruct.pairs(photographs(a=data), Smoother(), tmp_path / "out", DataParams(max_side=100))
    real, fake = two(made)
    assert real["path"].startswith(str(tmp_path / "out")) and container(real["path"]) == container(fake["path"])
    assert max(real["width"], real["height"]) <= 150 and min(real["width"], real["height"]) <= 100
    assert not Image.open(fake["path"]).getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(150, 90), (160, 96), (97, 203), (20, 9), (5, 300)])
def test_windows_lie_on_the_files_own_grid(picture, saved, rotated_exif, orientation, size):
    """A window of the upright image, carried back to the stored one, starts on a multiple of 16."""
    width, height = size if orientation < 5 else size[::-1]
    window = reconstruct.grid_window(width, height, 64, orientation)
    left, top, right, bottom = window
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    marks = np.zeros((height, width), np.uint8)
    marks[top:bottom, left:right] = 255
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = Image.fromarray(marks)
    stored = stored.transpose(Image.Transpose(turn[orientation])) if orientation > 1 else stored
    ys, xs = np.nonzero(np.asarray(stored))
    assert xs.min() % 16 == 0 and ys.min() % 16 == 0
    assert max(right - left, bottom - top) <= 64 or min(size) < 16


def test_the_second_jpeg_of_a_cut_photograph_costs_almost_nothing(photographs, picture, saved, tmp_path):
    """Cut off the grid, the block phase would tell the re-encoded original apart."""
    rows = photographs(a=saved(picture(300, 210), "JPEG", quality=60, subsampling=0))
    real, _ = two(reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams(max_side=128))[0])
    left, top, right, bottom = reconstruct.grid_window(300, 210, 128)
    cut = decode.read(rows["path"][0]).rgb[top:bottom, left:right].astype(int)
    shifted = decode.read(jpeg.like((tmp_path / "photos" / "a").read_bytes(), np.roll(cut, 3, 1).astype(np.uint8))).rgb
    on_grid, off_grid = (
        np.abs(decode.read(real["path"]).rgb - cut).mean(),
        np.abs(shifted - np.roll(cut, 3, 1)).mean(),
    )
    assert on_grid < 0.5 * off_grid


def test_a_second_try_makes_only_what_is_missing(photographs, picture, saved, tmp_path):
    rows = photographs(**{f"p{i}": saved(picture(32, 32, i), "JPEG") for i in range(6)})
    first = Smoother(most=2)
    made, _ = reconstruct.pairs(rows, first, tmp_path / "out", DataParams())
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    gone = tmp_path / "out" / sorted(before)[0]
    data = gone.read_bytes()
    gone.unlink()
    again = Smoother(most=2)
    made_again, _ = reconstruct.pairs(rows, again, tmp_path / "out", DataParams())
    assert first.seen == 6 and again.seen == 2 and gone.read_bytes() == data
    pd.testing.assert_frame_equal(made, made_again)
    kept = [p for p in (tmp_path / "out").iterdir() if p.stat().st_mtime_ns == before[p.name]]
    assert len(kept) == 4 and not list((tmp_path / "out").glob(".part*"))


class Copied(Smoother):
    """A Smoother that can be on two devices; both work at the same time, or neither goes on."""

    def __init__(self, fails: bool = False):
        super().__init__(most=1)
        self.meeting, self.fails = threading.Barrier(2, timeout=10), fails

    def on(self, device):
        self.other = Copied(self.fails)
        self.other.meeting = self.meeting
        return self.other

    def roundtrip(self, rgb):
        if not self.seen:
            self.meeting.wait()
        elif self.fails:
            raise KeyboardInterrupt
        return super().roundtrip(rgb)


def test_two_devices_reconstruct_as_one_does_and_go_on_after_a_kill(photographs, picture, saved, tmp_path, two_devices):
    rows = photographs(**{f"p{i}": saved(picture(32, 32, i), "JPEG") for i in range(6)}, bad=b"nothing")
    with pytest.raises(KeyboardInterrupt):
        reconstruct.pairs(rows, Copied(fails=True), tmp_path / "out", DataParams())
    before = len(list((tmp_path / "out").glob("*.jpg")))
    model = Copied()
    made, failed = reconstruct.pairs(rows, model, tmp_path / "out", DataParams())
    assert before == 2 and model.seen + model.other.seen == 4 and model.seen and model.other.seen
    alone, same = reconstruct.pairs(rows, Smoother(most=1), tmp_path / "alone", DataParams())
    pd.testing.assert_frame_equal(made.drop(columns="path"), alone.drop(columns="path"))
    pd.testing.assert_frame_equal(failed, same)


def test_unreadable_photographs_come_back_with_their_reason(photographs, picture, saved, tmp_path):
    whole = saved(picture(), "JPEG")
    rows = photographs(a=whole, b=whole[: len(whole) // 2], c=b"nothing", d=saved(picture(seed=2), "PNG"))
    (tmp_path / "photos" / "d").unlink()
    made, failed = reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams())
    assert list(made["pair_id"].unique()) == [made["pair_id"][0]] and len(made) == 2
    words = dict(zip(failed["path"].str[-1], failed["reason"], strict=True))
    assert "damaged" in words["b"] and "not an image" in words["c"] and "not there" in words["d"]


def test_pictures_that_become_the_same_are_left_out(photographs, picture, saved, rotated_exif, tmp_path):
    turned = [saved(picture(), "JPEG", exif=rotated_exif(3), comment=text) for text in ("one", "two")]
    rows = photographs(a=turned[0], b=turned[1], c=saved(np.full((32, 32, 3), 90, np.uint8), "PNG"))
    made, failed = reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams())
    assert len(made) == 2 and made["image_id"].is_unique
    assert sorted(failed["reason"]) == [
        "its reconstruction is the same picture",
        "same picture as another photograph",
    ]


def test_pictures_of_one_size_go_through_together(photographs, picture, saved, tmp_path):
    class Counting(Smoother):
        shapes: list = []

        def roundtrip(self, rgb):
            self.shapes.append(rgb.shape)
            return super().roundtrip(rgb)

    files = {f"{w}_{i}": saved(picture(w, 32, i), "PNG") for i in range(3) for w in (32, 48)}
    reconstruct.pairs(photographs(**files), Counting(), tmp_path / "out", DataParams())
    assert Counting.shapes == [(3, 32, 32, 3), (3, 32, 48, 3)]


def test_pictures_that_are_padded_to_one_size_go_through_together_and_come_back_at_their_own(
    photographs, picture, saved, tmp_path
):
    class Sharp(Smoother):
        shapes: list = []

        def roundtrip(self, rgb):
            self.shapes.append(rgb.shape)
            return 255 - rgb

    sizes = [(48, 30), (47, 32), (41, 25), (48, 24)]
    files = {f"p{i}": saved(picture(*size, i), "PNG") for i, size in enumerate(sizes)}
    made, _ = reconstruct.pairs(photographs(**files), Sharp(), tmp_path / "out", DataParams())
    assert Sharp.shapes == [(1, 24, 48, 3), (3, 32, 48, 3)]
    for index, size in enumerate(sizes):
        both = [Image.open(path) for path in made[made["pair_id"] == made["pair_id"].unique()[index]]["path"]]
        assert [image.size for image in both] == [size, size]
        assert (np.asarray(both[0]) == 255 - np.asarray(both[1])).all()


def test_files_are_written_while_the_autoencoder_works_on_the_next_batch(
    photographs, picture, saved, tmp_path, monkeypatch
):
    """No file is written before the second batch has begun: one thing after the other would wait in vain."""
    second, write, waited = threading.Event(), atomic.write, []

    class Ringing(Smoother):
        def roundtrip(self, rgb):
            if self.seen:
                second.set()
            return super().roundtrip(rgb)

    monkeypatch.setattr(atomic, "write", lambda *file: waited.append(second.wait(10)) or write(*file))
    rows = photographs(**{f"p{i}": saved(picture(32, 32, i), "PNG") for i in range(3)})
    made, failed = reconstruct.pairs(rows, Ringing(most=1), tmp_path / "out", DataParams())
    assert len(made) == 6 and failed.empty and waited == [True] * 3


def test_pairs_in_png_are_lossless_and_the_quality_of_the_original_stays_known(photographs, picture, saved, tmp_path):
    rows = photographs(a=saved(picture(), "JPEG", quality=75), b=saved(picture(seed=1), "PNG"))
    made, _ = reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams(), form="png")
    pair = made[made["jpeg_quality"] == 75]
    real, fake = two(pair)
    assert set(made["format"]) == {"PNG"} and len(pair) == 2 and made["jpeg_quality"].isna().sum() == 2
    pixels = decode.read(rows["path"][0]).rgb
    assert (decode.read(real["path"]).rgb == pixels).all()
    assert (decode.read(fake["path"]).rgb == Smoother().roundtrip(pixels[None])[0]).all()


def test_a_grey_photograph_has_a_grey_reconstruction(photographs, picture, saved, tmp_path):
    rows = photographs(a=saved(Image.fromarray(picture()).convert("L"), "JPEG"))
    real, fake = two(reconstruct.pairs(rows, Smoother(), tmp_path / "out", DataParams())[0])
    assert Image.open(fake["path"]).mode == Image.open(real["path"]).mode == "L"


@pytest.mark.parametrize("size", [(48, 30), (47, 32), (41, 25), (48, 24), (7, 40)])
def test_cropped_pairs_are_cut_to_whole_cells_around_the_centre_as_in_the_dda_code(
    photographs, picture, saved, tmp_path, size
):
    rows = photographs(a=saved(picture(*size), "PNG"))
    real, fake = two(reconstruct.pairs(rows, Smoother(), tmp_path / "out", DDA, form="png")[0])
    width, height = (side // 8 * 8 or side for side in size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    cut = picture(*size)[top : top + height, left : left + width]
    assert (decode.read(real["path"]).rgb == cut).all()
    assert (decode.read(fake["path"]).rgb == Smoother().roundtrip(cut[None])[0]).all()


@pytest.fixture
def orders(monkeypatch):
    """What autoencoders were loaded with; every one is a Smoother."""
    given = []
    monkeypatch.setattr(autoencoder, "load", lambda *args, **options: given.append(options) or Smoother())
    return given


def test_reconstruction_dda_crops_the_pixel_set_and_truncates_everywhere(orders, new_run, small):
    for way, side in (("ours", 84), ("dda", 80)):
        cfg = small(reconstruction=way, pair_format="png", image_size=84, vae_latent="sampled", vae_dtype="float16")
        run = new_run(way)
        pixel, judges = sets.pixel(run, cfg), sets.test(run, cfg)
        assert set(pixel["width"]) == set(pixel["height"]) == {side} and set(judges["width"]) == {84}
        wanted = {"sample": True, "seed": 0, "dtype": "float16", "truncate": way == "dda"}
        assert orders == [wanted] * 2
        orders.clear()


def test_what_the_autoencoder_computed_in_is_kept_beside_the_tables(smoother, new_run, small):
    run = new_run()
    sets.pixel(run, small(vae="data/mini/vae/kl"))
    told = json.loads(run.path("autoencoder_pixel.json").read_text())
    assert told == {"name": "data/mini/vae/kl", "revision": "", "dtype": "float32"}
