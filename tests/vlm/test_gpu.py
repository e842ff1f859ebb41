"""The VLM on a GPU: it scores, labels and explains as on the CPU, and DPO moves its adapter in bfloat16 and 4 bits."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import logit

from aligngemini.images import decode
from aligngemini.mini import bases
from aligngemini.vlm import dpo, labels, load, preference_pairs, verdict
from aligngemini.vlm.params import VLMParams
from tests import gpu

pytestmark = gpu.needed
CFG = VLMParams(base="data/mini/vlm", batch_size=2, learning_rate=1e-2, max_pixels=12544)


def base(**options) -> load.VLM:
    return load.load(str(bases.FOLDERS["vlm"]), max_pixels=12544, **options)


def images(rows) -> list[Image.Image]:
    return [Image.fromarray(decode.read(path).rgb) for path in rows.path]


def trained(rows, folder, config: VLMParams = CFG, steps: int = 3):
    """The trainer after `steps` updates of DPO."""
    torch.manual_seed(0)
    vlm = base(precision=config.precision, quantise=config.quantise)
    trainer = dpo.build(vlm, preference_pairs.from_remarks(rows), config, folder)
    trainer.args.max_steps, trainer.args.save_strategy = steps, "no"
    trainer.train()
    return trainer


@pytest.mark.parametrize(("precision", "close"), [("float32", 0.05), ("bfloat16", 1.0)])
def test_p_fake_is_that_of_the_cpu_but_for_rounding(rows, precision, close):
    vlm = base(precision=precision)
    assert vlm.device.type == "cuda" and vlm.model.dtype == getattr(torch, precision)
    there = verdict.p_fake(vlm, images(rows))
    here = base(precision="float32")
    here.model.to("cpu")
    assert there.dtype == np.float64
    assert np.abs(logit(there) - logit(verdict.p_fake(here, images(rows)))).max() < close


def test_a_gpu_that_has_bfloat16_computes_in_it_unless_told_otherwise():
    assert load.dtype_for("auto") == (torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32)


def test_reasons_and_explanations_come_back_from_the_gpu(rows, monkeypatch):
    monkeypatch.setattr(labels, "TOKENS", 8)
    vlm = base()
    frame = labels._part(vlm, rows.head(4), seed=0)
    assert frame.chosen.str.startswith("This image is").all() and (frame.chosen != frame.rejected).all()
    assert verdict.VERDICTS[1] not in verdict.explain(vlm, images(rows.head(1)), [1], length=4)[0]


def test_a_step_of_dpo_in_bfloat16_starts_at_ln_2_and_moves_every_adapter(rows, tmp_path):
    trainer = trained(rows, tmp_path, CFG.replace(precision="bfloat16", gradient_checkpointing=True))
    history = dpo.history(trainer)  # the first loss is checked by the trainer itself
    assert np.isfinite(history.loss).all() and history.margin.abs().max() > 0
    moved = {name: weight for name, weight in trainer.model.named_parameters() if "lora_B" in name}
    assert len(moved) == 21 and all(weight.device.type == "cuda" and weight.any() for weight in moved.values())


@pytest.mark.parametrize(("precision", "close"), [("float32", 1e-3), ("bfloat16", 0.05)])
def test_losses_of_packed_pairs_are_those_of_separate_rows(rows, tmp_path, precision, close):
    config = CFG.replace(precision=precision)
    histories = [
        dpo.history(trained(rows, tmp_path / str(share), config.replace(share_prompt=share))) for share in (False, True)
    ]
    assert histories[1].loss.tolist() == pytest.approx(histories[0].loss.tolist(), abs=close)


def test_a_four_bit_base_keeps_vision_and_vocabulary_and_its_adapter_trains_in_float32(rows, tmp_path):
    bitsandbytes = pytest.importorskip("bitsandbytes")
    vlm = base(quantise="4bit")
    four = [name for name, module in vlm.model.named_modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    assert four and all("language_model" in name for name in four) and not any("visual" in name for name in four)
    scores = verdict.p_fake(vlm, images(rows))
    assert ((scores > 0) & (scores < 1)).all()
    trainer = trained(rows, tmp_path, CFG.replace(quantise="4bit"))
    trains = [weight for weight in trainer.model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in trains} == {torch.float32} and np.isfinite(dpo.history(trainer).loss).all()
