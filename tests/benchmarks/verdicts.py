"""Verdicts by teacher-forced scoring against the obvious way: generate an answer for each picture and parse it.

`python tests/benchmarks/verdicts.py [PICTURES]` prints pictures per second of both ways in one run, and their ratio.
"""

import sys
import time

import torch
from PIL import Image

from aligngemini.mini import bases, world
from aligngemini.vlm import load, verdict


def generated(vlm: load.VLM, pictures: list[Image.Image]) -> list[str]:
    """One picture at a time, up to 64 tokens of free text."""
    said = []
    for picture in pictures:
        batch = verdict.prompts(vlm, [picture])
        with torch.inference_mode():
            whole = vlm.model.generate(**batch, max_new_tokens=64, do_sample=False)
        said.append(vlm.processor.tokenizer.decode(whole[0, batch["input_ids"].shape[1] :]))
    return said


def rate(work, pictures: list[Image.Image]) -> float:
    """Pictures per second of `work`."""
    begun = time.perf_counter()
    work(pictures)
    return len(pictures) / (time.perf_counter() - begun)


def main(count: int) -> None:
    vlm = load.load(str(bases.FOLDERS["vlm"]))
    pictures = [Image.fromarray(world.draw(0, "benchmark", i, bool(i % 2)).rgb) for i in range(count)]
    verdict.p_fake(vlm, pictures[:2]), generated(vlm, pictures[:2])
    ours, plain = rate(lambda p: verdict.p_fake(vlm, p), pictures), rate(lambda p: generated(vlm, p), pictures)
    print(f"forced {ours:.1f}/s, generated {plain:.1f}/s, ratio {ours / plain:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
