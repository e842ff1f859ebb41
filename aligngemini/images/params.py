"""Parameters of notebook 01."""

from typing import Any

from aligngemini.core import fields, params, paths
from aligngemini.core.params import Params, Refused, advanced, param

WORLD = "world"  # the small world, whose images are drawn from a seed


def _parts(text: str) -> list[str]:
    from .loaders import benchmark_rows

    return benchmark_rows.parts(text)


def autoencoders_in(name: str) -> list[str]:
    """The autoencoders that `name` stands for: itself, or those in a folder of several."""
    folder = paths.resolve(name)
    if (folder / "config.json").is_file() or (folder / "vae" / "config.json").is_file():
        return [name]
    return [f"{name}/{path.parent.name}" for path in sorted(folder.glob("*/config.json"))] or [name]


def _images(text: str) -> Any:
    return param(WORLD, text, filled=True, source="folder", besides=(WORLD,))


class DataParams(Params):
    """Parameters of notebook 01: the images, their number, their degradation and their reconstruction."""

    plausible: str = _images("real images of the semantic set, a folder or world")
    implausible: str = _images("implausible fakes of the semantic set, a folder or world")
    photos: str = _images("real images of the pixel set, a folder or world")
    vae: str = param(
        "data/mini/vae/kl",
        "autoencoder that reconstructs the real images of the pixel set, a folder or hub name",
        filled=True,
        source="model",
    )
    more_vaes: list[str] = advanced(
        [], "further autoencoders that share the photographs of the pixel set with vae, evenly", source="model"
    )
    vae_revision: str = advanced("", "revision of the autoencoder on the hub, empty for the newest")
    vae_latent: str = advanced(
        "mean", "which latent is decoded: the mean, or a random sample", choices=["mean", "sampled"]
    )
    vae_dtype: str = fields.number_format("autoencoder", "float16")
    reconstruction: str = advanced(
        "ours",
        "ours pads the sides and rounds the values, dda crops the sides and truncates the values",
        choices=["ours", "dda"],
    )
    pair_format: str = advanced(
        "original",
        "file format of a pair: both like the photograph (original), or both lossless (png)",
        choices=["original", "png"],
    )
    test: list[str] = param(
        ["world"],
        "test sets: world, labelled folders, CSV lists or NAME:DIR",
        filled=True,
        source="benchmark",
        parts=_parts,
        besides=(WORLD,),
    )
    generators: list[str] = advanced(
        ["data/mini/vae"],
        "autoencoders whose fakes only test, in the small world, or folders of such",
        source="model",
        parts=autoencoders_in,
    )
    held_out: list[str] = param(
        [], "violations and objects of the world that are excluded from training and tested separately"
    )
    train_images: int = param(2400, "images in each training set, both classes together, 0 for all", least=0)
    pixel_pairs: int = advanced(0, "pairs in the pixel training set, 0 for half of train_images", least=0)
    validation_images: int = advanced(400, "images in each validation set, both classes together, 2 or more", least=2)
    joint_images: int = advanced(200, "images of the joint validation set per class and subset, 0 for none", least=0)
    test_images: int = param(200, "test images per class and subset, 0 for all", least=0)
    image_size: int = advanced(112, "side of the images in px, a multiple of 28", least=28, multiple=28)
    degrade_scale: list[float] = fields.span([0.5, 0.8], "downsampling factor", "above 0 to 1", above=0, most=1)
    degrade_noise: list[float] = fields.span([2.0, 8.0], "noise sigma in grey levels", "0 to 255", least=0, most=255)
    degrade_blur: list[float] = fields.span([0.3, 0.9], "blur sigma in px", "0 to 20", least=0, most=20)
    degrade_jpeg: list[float] = fields.span([40.0, 80.0], "JPEG quality", "1 to 100", least=1, most=100)
    probe_network: bool = advanced(
        False, "whether a small network looks for pixel cues, too, which takes minutes of one core"
    )
    max_side: int = advanced(1024, "side in px to which larger photographs are centre-cropped, 64 or more", least=64)
    workers: int = advanced(2, "processes that make images, 1 or more", least=1)

    def check(self) -> None:
        """Refuse odd halves, "all" of an endless world, and painted reals beside photographed fakes."""
        for name in ("train_images", "validation_images"):
            if getattr(self, name) % 2:
                raise Refused(f"{name} must be even, half real and half fake, got {getattr(self, name)}")
        if (self.plausible == WORLD) != (self.implausible == WORLD):
            raise Refused("plausible and implausible must both be world or both be folders: give the other one too")
        self._check_world()
        if self.reconstruction == "dda" and self.pair_format != "png":
            raise Refused("reconstruction dda crops off the JPEG grid, which a second JPEG would show: pair_format png")
        endless = {"train_images": [self.plausible, self.photos], "test_images": self.test}
        for name, places in endless.items():
            if WORLD in places and getattr(self, name) == 0:
                raise Refused(f"{name} is 0, which means all, but the world has no end: give a number")

    def _check_world(self) -> None:
        _check_names("more_vaes", [self.vae, *self.more_vaes])
        for name in self.generators:
            if name in [self.vae, *self.more_vaes]:
                raise Refused(f"{name} makes the training fakes, so it is no generator that only tests: leave it out")
        _check_names("generators", [text.rstrip("/").rpartition("/")[2] for text in self.generators])
        if self.held_out and self.plausible != WORLD:
            raise Refused("held_out names violations of the world, but plausible is a folder: leave it out")
        if self.held_out:
            self._check_held_out()

    def _check_held_out(self) -> None:
        from aligngemini.world.scenes import FAMILIES, KINDS

        _check_names("held_out", self.held_out)
        for name in set(self.held_out) - {*FAMILIES, *KINDS}:
            raise params.unknown(name, [*FAMILIES, *KINDS], "held_out", "violation or thing")
        for word, every in (("violation", FAMILIES), ("kind of thing", KINDS)):
            if set(every) <= set(self.held_out):
                raise Refused(f"held_out keeps every {word} from training: leave some in")


def _check_names(field: str, names: list[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Refused(f"{field} has {twice[0]!r} twice: names must differ")
