"""What notebook 01 may be asked."""

from aligngemini.core import fields, params
from aligngemini.core.params import Params, Refused, param

WORLD = "world"  # where pictures are drawn, not read


def _parts(text: str) -> list[str]:
    from .loaders import benchmark_rows

    return benchmark_rows.parts(text)


class DataParams(Params):
    """Parameters of notebook 01: which pictures, how many, how they are degraded and reconstructed."""

    scale: fields.Scale = "mini"
    seed: fields.Seed = 0
    plausible: str = param(
        "world", "real pictures of the semantic set, a folder or world", filled=True, source="folder", besides=(WORLD,)
    )
    implausible: str = param(
        "world", "surreal fakes of the semantic set, a folder or world", filled=True, source="folder", besides=(WORLD,)
    )
    photos: str = param(
        "world", "real pictures of the pixel set, a folder or world", filled=True, source="folder", besides=(WORLD,)
    )
    vae: str = param(
        "data/mini/vae/kl", "autoencoder that reconstructs, a folder or hub name", filled=True, source="model"
    )
    vae_revision: str = param("", "revision of the autoencoder on the hub, empty for the newest")
    vae_latent: str = param("mean", "latent that is decoded, the mean or one drawn", choices=["mean", "sampled"])
    vae_dtype: str = param(
        "auto",
        "numbers the autoencoder computes in, auto for float16 on a GPU and float32 elsewhere",
        choices=["auto", "float16", "float32"],
        on_card="float16",
    )
    reconstruction: str = param(
        "ours",
        "sides padded and bytes rounded (ours), or sides cropped and bytes truncated (dda)",
        choices=["ours", "dda"],
    )
    pair_format: str = param(
        "original", "files of a pair, both encoded like the original or both lossless", choices=["original", "png"]
    )
    test: list[str] = param(
        ["world"],
        "test sets, world, labelled folders, CSV lists or NAME:DIR",
        filled=True,
        source="benchmark",
        parts=_parts,
        besides=(WORLD,),
    )
    generators: list[str] = param(
        ["data/mini/vae"],
        "autoencoders that only test on the world, or folders of such",
        source="model",
    )
    held_out: list[str] = param(
        [], "violations and kinds of things of the world that are kept from training, tested apart"
    )
    train_images: int = param(2400, "pictures in each training set, both classes together, 0 for all", least=0)
    pixel_pairs: int = param(0, "pairs in the pixel training set, 0 for half of train_images", least=0)
    validation_images: int = param(400, "pictures in each validation set, both classes together, 2 or more", least=2)
    joint_images: int = param(200, "joint validation pictures per class and subset, 0 for none", least=0)
    test_images: int = param(200, "test pictures per class and subset, 0 for all", least=0)
    image_size: int = param(112, "side of the pictures drawn or cropped, px, a multiple of 28", least=28, multiple=28)
    degrade_scale: list[float] = param(
        [0.5, 0.8], "downsampling factor, lowest and highest, above 0 to 1", above=0, most=1, pair=True
    )
    degrade_noise: list[float] = param(
        [2.0, 8.0], "noise sigma in grey levels of 255, lowest and highest", least=0, most=255, pair=True
    )
    degrade_blur: list[float] = param(
        [0.3, 0.9], "blur sigma in px, lowest and highest, 0 to 20", least=0, most=20, pair=True
    )
    degrade_jpeg: list[float] = param(
        [40.0, 80.0], "JPEG quality, lowest and highest, 1 to 100", least=1, most=100, pair=True
    )
    max_side: int = param(1024, "larger photographs are centre-cropped to this side, px, at least 64", least=64)
    workers: int = param(2, "processes that make pictures, 1 or more", least=1)

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
        """Refuse what only the world could do where it takes no part, and names it does not know."""
        if self.vae in self.generators:
            raise Refused(f"{self.vae} makes the training fakes, so it is no generator that only tests: leave it out")
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
