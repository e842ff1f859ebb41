"""The benchmarks by name: where each is from, and what is peculiar to how it lies on the disk."""

from .tree_layout import Layout

TRAINING = "pictures to train on, not to test"
RECONSTRUCTED = "reconstructions to train on, not to test"
MASKS = "masks of artifacts, in one folder for each picture"
GENIMAGE = {
    "imagenet_ai_0419_sdv4": "stable_diffusion_v_1_4",
    "imagenet_ai_0424_sdv5": "stable_diffusion_v_1_5",
    "imagenet_midjourney": "Midjourney",
    "imagenet_ai_0508_adm": "ADM",
    "imagenet_ai_0424_wukong": "wukong",
    "imagenet_glide": "glide",
    "imagenet_ai_0419_vqdm": "VQDM",
    "imagenet_ai_0419_biggan": "BigGAN",
}
NOW = {name: name for name in ("flux-dev", "flux-krea", "flux-kontext", "flux-pro", "gpt4o", "jimeng", "minimax")}
NOW |= {"flux-kera": "flux-krea", "keling": "keling", "kling": "keling", "nano": "nano", "nano-banana": "nano"}
CO_SPY = {name: name for name in ("mscoco", "cc3m", "textcaps", "sbu", "flickr")}
CO_SPY |= {"coco": "mscoco", "val2017": "mscoco", "flickr30k": "flickr"}
OF_LAION = ("ldm_200", "ldm_200_cfg", "ldm_100", "glide_100_27", "glide_50_27", "glide_100_10", "dalle")
COCO_REST = dict.fromkeys(("train2017", "test2017", "unlabeled2017"), TRAINING)

LAYOUTS = {
    "GenImage": Layout(
        source="the links in github.com/GenImage-Dataset/GenImage",
        skipped={"train": TRAINING},
        passed=("genimage",),
        names=GENIMAGE,
    ),
    "DRCT-2M": Layout(
        source="ModelScope, BokingChen/DRCT-2M",
        reals="MSCOCO val2017, cocodataset.org",
        unlabelled=1,
        shared=True,
        passed=("drct-2m", "val2017"),
        skipped=COCO_REST | {"fake_rec_images": RECONSTRUCTED},
    ),
    "BFree-Online": Layout(
        source="the links in github.com/grip-unina/B-Free, viral_images_dataset",
        depth=0,
        listing="BFree_viral_images.csv",
        copies=r"([^/]+)/[^/]+$",  # one photograph, posted again and again, has a folder
    ),
    "WildRF": Layout(
        source="the link in github.com/barcavia/RealTime-DeepfakeDetection-in-the-RealWorld",
        top=("train", "val"),
        passed=("wildrf",),
    ),
    "AIGIBench": Layout(source="Hugging Face, HorizonTEL/AIGIBench", top=("train", "val"), passed=("aigibench",)),
    "Chameleon": Layout(
        source="its authors, who give it out on request (see github.com/shilinyan99/AIDE)",
        depth=0,
        top=("train", "val"),
    ),
    "CO-SPY-Bench": Layout(
        source="Hugging Face, ruojiruoli/Co-Spy-Bench",
        reals="Hugging Face, ruojiruoli/Co-Spy-Misc and nlphuji/flickr30k, and MSCOCO val2017, a folder for each",
        unlabelled=1,
        shared=True,
        pooled=True,
        depth=2,
        real=("real_image_examples",),
        passed=("synthetic", "co-spy-bench", "co-spy-misc"),
        skipped=COCO_REST,
        names=CO_SPY,
        packed=("*.tar", "*.tar.gz"),
    ),
    "CO-SPY-In-the-Wild": Layout(
        source="the five sites named in github.com/Megum1/CO-SPY",
        reals="a set of your choice, its authors name none",
        unlabelled=1,
        shared=True,
        passed=("co-spy-in-the-wild",),
        names={"flux": "instavibeai"},
    ),
    "AIGI-Now": Layout(
        source="Hugging Face, Gaffeyzz/AIGI-Now",
        digit=True,
        passed=("aigi-now", "data"),
        names=NOW,
        packed=("*.tar", "*.tar.gz", "*.tgz"),
    ),
    "AIGCDetectBenchmark": Layout(
        source="ModelScope, aemilia/AIGCDetectionBenchmark",
        top=("train", "val"),
        passed=("test_set", "aigcdetectbenchmark", "aigcdetectionbenchmark"),
    ),
    "ForenSynths": Layout(
        source="Hugging Face, sywang/CNNDetection, or the links in github.com/roy-ch/Dual-Data-Alignment",
        top=("train", "val", "progan_train", "progan_val"),
        passed=("forensynths", "cnn_synth_testset"),
    ),
    "Synthbuster": Layout(
        source="the link at veraai.eu/posts (Synthbuster)",
        reals="RAISE-1k, www.grip.unina.it/download/prog/DMimageDetection/real_RAISE_1k.zip",
        unlabelled=1,
        shared=True,
        real=("real_raise_1k", "raise-1k", "raise_1k", "raise"),
        passed=("synthbuster",),
    ),
    "SynthWildX": Layout(
        source="the script in github.com/grip-unina/ClipBased-SyntheticImageDetection, data/synthwildx",
        unlabelled=1,
        shared=True,
        passed=("synthwildx",),
        listing="list.csv",
    ),
    "EvalGEN": Layout(
        source="Hugging Face, Junwei-Xi/EvalGEN", unlabelled=1, lone=True, passed=("evalgen",), only="_0"
    ),
    "DDA-COCO": Layout(
        source="Hugging Face, Junwei-Xi/DDA-COCO",
        reals="MSCOCO val2017, cocodataset.org",
        unlabelled=1,
        shared=True,
        real=("val2017", "coco", "mscoco"),
        passed=("dda-coco",),
        skipped=COCO_REST,
    ),
    "X-AIGD": Layout(
        source="Hugging Face, Coxy7/X-AIGD, files labeled_test",
        unlabelled=1,
        shared=True,
        lone=True,
        passed=("x-aigd", "data"),
        skipped={"masks": MASKS},
        packed=("*_test*.parquet",),
    ),
    "RR-Dataset": Layout(
        source="zenodo.org/records/14963880, RRDataset_test.tar.gz",
        top=("train", "val"),
        words={"real_images": 0, "ai_images": 1},
        passed=("rrdataset", "rr-dataset", "rrdataset_test", "rrdataset_final"),
        skipped={"rrdataset_original_train_val": TRAINING},
        copies=r"/(?:transfer_|redigital_)?([^/]+)\.\w+$",
    ),
    "UniversalFakeDetect": Layout(
        source="the two links to test sets in github.com/WisconsinAIVision/UniversalFakeDetect",
        shared=True,
        pooled=True,
        pools=dict.fromkeys(OF_LAION, "laion") | {"guided": "imagenet"},
        top=("train", "val", "progan_train", "progan_val"),
        passed=("universalfakedetect", "datasets", "diffusion_datasets", "cnn_synth_testset"),
        skipped=dict.fromkeys(("stylegan2", "whichfaceisreal"), "of ForenSynths, but none of the 19 of this benchmark"),
    ),
}
OTHER_NAMES = {
    "aigcdetect": "AIGCDetectBenchmark",
    "aigcdetectionbenchmark": "AIGCDetectBenchmark",
    "bfree": "BFree-Online",
    "cospy": "CO-SPY-Bench",
    "cospywild": "CO-SPY-In-the-Wild",
    "drct": "DRCT-2M",
    "univfakedetect": "UniversalFakeDetect",
}
KEYS = {"AIGCDetectBenchmark": "aigcdetect", "CO-SPY-Bench": "cospy_bench", "CO-SPY-In-the-Wild": "cospy_wild"}


def key(name: str) -> str:
    """What tables call a benchmark: as the published numbers do."""
    return KEYS.get(name, name.lower().replace("-", "_"))
