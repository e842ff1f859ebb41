"""Miniatures of the benchmarks in their true layouts, and what a reader counts in them by hand."""

import os
from collections import Counter

import pandas as pd

TREES = {
    "GenImage": [
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/nature/a.JPEG",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/nature/b.JPEG",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/ai/c.png",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/ai/d.png",
        "imagenet_midjourney/val/nature/e.JPEG",
        "imagenet_midjourney/val/ai/f.png",
        "BigGAN/0_real/g.png",
        "BigGAN/1_fake/h.png",
    ],
    "DRCT-2M": [
        "images/ldm-text2im-large-256/val2017/000000000139.jpg",
        "images/ldm-text2im-large-256/train2017/000000000009.jpg",
        "images/sdxl-turbo/val2017/000000000139.jpg",
        "images/sdxl-turbo/val2017/000000000285.jpg",
        "fake_rec_images/sdxl-turbo/full_inpainting/val2017/000000000139.jpg",
        "+coco/val2017/000000000139.jpg",
        "+coco/val2017/000000000285.jpg",
        "+coco/train2017/000000000009.jpg",
    ],
    "BFree-Online": [
        "REAL/Ed7JvuVXsAUTp-j/img00400.jpg",
        "REAL/Ed7JvuVXsAUTp-j/img00401.jpg",
        "REAL/GxY1aaWXQAA2bcd/img00400.jpg",
        "FAKE/FsL1ChiXwAAaVFk/img03517.jpg",
    ],
    "WildRF": [
        "WildRF/train/0_real/a.jpg",
        "WildRF/val/1_fake/b.jpg",
        "WildRF/test/reddit/0_real/c.jpg",
        "WildRF/test/reddit/1_fake/d.jpg",
        "WildRF/test/twitter/0_real/e.jpg",
        "WildRF/test/twitter/1_fake/f.jpg",
        "WildRF/test/facebook/0_real/g.jpg",
        "WildRF/test/facebook/1_fake/h.jpg",
        "WildRF/test/facebook/1_fake/i.jpg",
    ],
    "AIGIBench": [
        "train/car/0_real/a.png",
        "train/sdv1.4/1_fake/b.png",
        "test/CommunityAI/0_real/c.png",
        "test/CommunityAI/1_fake/d.png",
        "test/SocialRF/0_real/e.png",
        "test/SocialRF/1_fake/f.png",
        "test/ProGAN/train/0_real/g.png",
        "test/ProGAN/car/1_fake/h.png",
    ],
    "Chameleon": ["test/0_real/a.jpg", "test/0_real/b.jpg", "test/1_fake/c.jpg", "train/1_fake/d.jpg"],
    "CO-SPY-Bench": [
        "synthetic/mscoco/stabilityai@sdxl-turbo/0.png",
        "synthetic/mscoco/stabilityai@sdxl-turbo/1.png",
        "synthetic/cc3m/stabilityai@sdxl-turbo/0.png",
        "synthetic/cc3m/black-forest-labs@FLUX.1-dev/0.png",
        "+misc/real_image_examples/CC3M/0.png",
        "+misc/val2017/000000000139.jpg",
        "+misc/real_image_examples/SBU/0.png",
    ],
    "CO-SPY-In-the-Wild": [
        "CO-SPY-In-the-Wild/civitai/0_real/a.jpg",
        "CO-SPY-In-the-Wild/civitai/1_fake/b.jpg",
        "CO-SPY-In-the-Wild/flux/1_fake/c.jpg",
        "CO-SPY-In-the-Wild/lexica/d.jpg",
        "+reals/some/e.jpg",
    ],
    "AIGI-Now": [
        "FLUX-kera/pix/0_coco/a.jpg",
        "FLUX-kera/pix/1_flux/b.jpg",
        "FLUX-kera/sem/0_coco/a.jpg",
        "FLUX-kera/sem/1_flux/b.jpg",
        "Kling/semantic/0_real/c.jpg",
        "keling/semantic/1_fake/d.jpg",
    ],
    "AIGCDetectBenchmark": [
        "test/progan/airplane/0_real/a.png",
        "test/progan/train/0_real/b.png",
        "test/progan/train/1_fake/c.png",
        "test/cyclegan/horse/1_fake/d.png",
        "test/cyclegan/zebra/0_real/e.png",
        "test/whichfaceisreal/0_real/f.jpg",
        "test/whichfaceisreal/1_fake/g.jpg",
    ],
    "ForenSynths": [
        "train/progan/cat/0_real/a.png",
        "val/progan/cat/0_real/b.png",
        "test/stylegan/bedroom/0_real/c.png",
        "test/stylegan/car/1_fake/d.png",
        "test/stylegan2/horse/0_real/e.png",
        "test/stylegan2/church/1_fake/f.png",
        "test/deepfake/0_real/g.png",
        "test/deepfake/1_fake/h.png",
    ],
    "Synthbuster": [
        "synthbuster/dalle2/r000da54ft.png",
        "synthbuster/dalle3/r000da54ft.png",
        "synthbuster/midjourney-v5/r000da54ft.png",
        "+real_RAISE_1k/r000da54ft.png",
        "+real_RAISE_1k/r001d260dt.png",
    ],
    "SynthWildX": [
        "dalle3/F_g5.jpg",
        "firefly/F_jA.jpg",
        "midjourney/F_oH.jpg",
        "midjourney/F_ob.jpg",
        "real/F_p1.jpg",
        "real/F_p2.jpg",
    ],  # fmt: skip
    "EvalGEN": ["FLUX/00000_0.jpg", "FLUX/00000_1.jpg", "FLUX/00001_0.jpg", "GoT/00000_0.jpg", "GoT/00000_10.jpg"],
    "DDA-COCO": ["val2017/1.png", "val2017/2.png", "sd21/1.png", "sd21/2.png", "sdxl/1.png", "sdxl/val2017/2.png"],
    "RR-Dataset": [
        "RRDataset_original_train_val/train/ai/Politics_000002.png",
        "RRDataset_final/original/real/real_000021.png",
        "RRDataset_final/transfer/real/transfer_real_000021.jpg",
        "RRDataset_final/redigital/real/redigital_real_000021.jpg",
        "RRDataset_final/original/ai/Culture_&_Religion_000001.png",
        "RRDataset_final/transfer/ai/transfer_Culture_&_Religion_000001.jpg",
        "RRDataset_final/redigital/ai/redigital_Culture_&_Religion_000001.jpg",
        "RRDataset_final/redigital/ai/redigital_Culture_&_Religion_000002.jpg",
    ],
    "UniversalFakeDetect": [
        "datasets/test/progan/cat/0_real/a.png",
        "datasets/test/progan/dog/1_fake/b.png",
        "datasets/test/crn/0_real/c.png",
        "datasets/test/crn/1_fake/d.png",
        "datasets/test/whichfaceisreal/1_fake/e.png",
        "datasets/train/progan/cat/1_fake/f.png",
        "diffusion_datasets/imagenet/0_real/g.png",
        "diffusion_datasets/guided/1_fake/h.png",
        "diffusion_datasets/laion/0_real/i.png",
        "diffusion_datasets/laion/0_real/j.png",
        "diffusion_datasets/ldm_200/1_fake/k.png",
        "diffusion_datasets/dalle/1_fake/l.png",
    ],
}  # paths under +folder are the real pictures that lie elsewhere
COUNTS = {
    "GenImage": {
        ("stable_diffusion_v_1_4", 0): 2, ("stable_diffusion_v_1_4", 1): 1, ("Midjourney", 0): 1, ("Midjourney", 1): 1,
        ("BigGAN", 0): 1, ("BigGAN", 1): 1,
    },
    "DRCT-2M": {
        ("ldm-text2im-large-256", 0): 2, ("ldm-text2im-large-256", 1): 1, ("sdxl-turbo", 0): 2, ("sdxl-turbo", 1): 2,
    },
    "BFree-Online": {("bfree_online", 0): 3, ("bfree_online", 1): 1},
    "WildRF": {
        ("reddit", 0): 1, ("reddit", 1): 1, ("twitter", 0): 1, ("twitter", 1): 1, ("facebook", 0): 1,
        ("facebook", 1): 2,
    },
    "AIGIBench": {
        ("CommunityAI", 0): 1, ("CommunityAI", 1): 1, ("SocialRF", 0): 1, ("SocialRF", 1): 1, ("ProGAN", 0): 1,
        ("ProGAN", 1): 1,
    },
    "Chameleon": {("chameleon", 0): 2, ("chameleon", 1): 1},
    "CO-SPY-Bench": {
        ("mscoco/stabilityai@sdxl-turbo", 0): 1, ("mscoco/stabilityai@sdxl-turbo", 1): 2,
        ("cc3m/stabilityai@sdxl-turbo", 0): 1, ("cc3m/stabilityai@sdxl-turbo", 1): 1,
        ("cc3m/black-forest-labs@FLUX.1-dev", 0): 1, ("cc3m/black-forest-labs@FLUX.1-dev", 1): 1,
    },
    "CO-SPY-In-the-Wild": {
        ("civitai", 0): 2, ("civitai", 1): 1, ("instavibeai", 0): 1, ("instavibeai", 1): 1, ("lexica", 0): 1,
        ("lexica", 1): 1,
    },
    "AIGI-Now": {
        ("flux-krea/pixel", 0): 1, ("flux-krea/pixel", 1): 1, ("flux-krea/semantic", 0): 1,
        ("flux-krea/semantic", 1): 1,
        ("keling/semantic", 0): 1, ("keling/semantic", 1): 1,
    },
    "AIGCDetectBenchmark": {
        ("progan", 0): 2, ("progan", 1): 1, ("cyclegan", 0): 1, ("cyclegan", 1): 1, ("whichfaceisreal", 0): 1,
        ("whichfaceisreal", 1): 1,
    },
    "ForenSynths": {
        ("stylegan", 0): 1, ("stylegan", 1): 1, ("stylegan2", 0): 1, ("stylegan2", 1): 1, ("deepfake", 0): 1,
        ("deepfake", 1): 1,
    },
    "Synthbuster": {
        ("dalle2", 0): 2, ("dalle2", 1): 1, ("dalle3", 0): 2, ("dalle3", 1): 1, ("midjourney-v5", 0): 2,
        ("midjourney-v5", 1): 1,
    },
    "SynthWildX": {
        ("dalle3", 0): 2, ("dalle3", 1): 1, ("firefly", 0): 2, ("firefly", 1): 1, ("midjourney", 0): 2,
        ("midjourney", 1): 2,
    },
    "EvalGEN": {("FLUX", 1): 2, ("GoT", 1): 1},
    "DDA-COCO": {("sd21", 0): 2, ("sd21", 1): 2, ("sdxl", 0): 2, ("sdxl", 1): 2},
    "RR-Dataset": {
        ("original", 0): 1, ("original", 1): 1, ("transfer", 0): 1, ("transfer", 1): 1, ("redigital", 0): 1,
        ("redigital", 1): 2,
    },
    "UniversalFakeDetect": {
        ("progan", 0): 1, ("progan", 1): 1, ("crn", 0): 1, ("crn", 1): 1, ("guided", 0): 1, ("guided", 1): 1,
        ("ldm_200", 0): 2, ("ldm_200", 1): 1, ("dalle", 0): 2, ("dalle", 1): 1,
    },
}  # fmt: skip


def counts(rows: pd.DataFrame) -> dict:
    usable = rows[(rows["reason"] == "") & (rows["label"] >= 0)]
    return dict(Counter(zip(usable["subset"], usable["label"], strict=True)))


def reasons(rows: pd.DataFrame) -> dict[str, str]:
    lost = rows[rows["reason"] != ""]
    return {os.path.basename(path): reason for path, reason in zip(lost["path"], lost["reason"], strict=True)}


def text(name: str, root, tmp_path) -> str:
    beside = [file[1:].split("/")[0] for file in TREES[name] if file.startswith("+")]
    return ":".join([name, str(root), *[str(tmp_path / folder) for folder in beside[:1]]])
