"""What a step of each stage would do on a card, counted on the meta device with the same models and sizes."""

from contextlib import nullcontext
from dataclasses import replace

import torch
from torch.nn import functional

from ..expert import backbone, views
from ..images import autoencoder
from ..vlm import dpo, labels, verdict, vision_cache
from ..vlm.load import VLM
from . import doors, shapes
from .ledger import AsOnACard, Count, counted
from .setting import Setting

MOMENTS = 2  # AdamW keeps two numbers for each that trains
ANSWERS = len(verdict.VERDICTS)  # chosen and rejected


def vae(setting: Setting, dtype: torch.dtype = torch.float16) -> torch.nn.Module:
    """The autoencoder on the meta device."""
    return torch.nn.Module.to(shapes.vae(setting.scale, "meta"), dtype)  # diffusers' own warns of what is not there


def expert(setting: Setting) -> backbone.Expert:
    """The expert with the recipe's adapters on the meta device."""
    colours = torch.empty(1, 3, 1, 1, device="meta")
    bare = backbone.Expert(shapes.expert(setting.scale, "meta"), colours, colours)
    return backbone.with_lora(bare, setting.expert)


def vlm(setting: Setting, dtype: torch.dtype = torch.bfloat16) -> VLM:
    """The VLM on the meta device, with the processor that asks it."""
    return doors.dressed(setting, shapes.vlm(setting.scale, "meta", dtype))


def reconstruction(model: torch.nn.Module, setting: Setting) -> Count:
    """One batch through the autoencoder and back, as large as the room for a card makes it."""
    (width, height), numbers = setting.photo, next(model.parameters()).dtype
    widths = model.config.get("block_out_channels") or [0, model.config.width // 4]
    room = autoencoder.Autoencoder("", 8, widths[1], None, None, "cuda", numbers)
    shown = torch.empty(room.batch(height, width), 3, height, width, dtype=numbers, device="meta")

    @torch.no_grad()
    def step():
        model.decode(model.encode(shown).latent_dist.mean)

    return counted(step, model, len(shown))


def expert_training(expert: backbone.Expert, setting: Setting, narrowed: bool = True) -> Count:
    """One update on all views of its pairs."""
    told = setting.expert
    shown = _crops(setting, len(views.names(told)) * told.batch_pairs)

    def step():
        functional.softplus(expert.logits(shown)).mean().backward()

    narrowed = narrowed and not expert.released
    return _update(counted(step, expert.model, told.batch_pairs, narrowed), expert.model, told.gradient_accumulation)


def expert_scoring(expert: backbone.Expert, setting: Setting, narrowed: bool = True) -> Count:
    """One batch of crops."""
    shown = _crops(setting, setting.expert.score_batch_size)
    expert.model.zero_grad()
    with torch.no_grad():
        narrowed = narrowed and not expert.released
        return counted(lambda: expert.logits(shown), expert.model, len(shown), narrowed)


def _crops(setting: Setting, many: int) -> torch.Tensor:
    side = setting.expert.crop
    return torch.empty(many, 3, side, side, dtype=torch.uint8, device="meta")


def verdict_scoring(vlm: VLM, setting: Setting) -> Count:
    """One batch of pictures, both verdicts at once."""
    many = setting.vlm.score_batch_size
    batch = doors.asked(vlm.processor, doors.drawn(setting, many))
    return counted(lambda: verdict.log_odds(vlm, batch), vlm.model, many)


def explaining(vlm: VLM, setting: Setting) -> Count:
    """An answer to each picture of a batch."""
    many = verdict.EXPLAINED
    batch = doors.asked(vlm.processor, doors.drawn(setting, many))
    with torch.no_grad():
        count = counted(lambda: vlm.model(**batch, logits_to_keep=1), vlm.model, many)
    return _spoken(count, vlm, many, batch["input_ids"].shape[1], setting.answer)


def labelling(vlm: VLM, setting: Setting) -> Count:
    """Both answers to a batch of pictures, which are looked at once."""
    many = setting.vlm.score_batch_size
    batch = doors.asked(vlm.processor, doors.drawn(setting, many))

    @torch.no_grad()
    def step():
        with vision_cache.temporary_vision_cache(vlm.model):
            for _ in range(ANSWERS):
                vlm.model(**batch, logits_to_keep=1)

    count = counted(step, vlm.model, many)
    said = _spoken(count, vlm, many, batch["input_ids"].shape[1], labels.TOKENS)
    return said.plus(flops=said.flops - count.flops, read=said.read)


def _spoken(count: Count, vlm: VLM, rows: int, asked: int, tokens: int) -> Count:
    """The same with `tokens` more in each row: each reads all weights of the language model, and keys and values of
    all tokens stay. Attention's operations for a single token are left out.
    """
    config = vlm.model.config.text_config
    spoken = [weight for part in (vlm.model.get_decoder(), vlm.model.lm_head) for weight in part.parameters()]
    wide = config.hidden_size // config.num_attention_heads * config.num_key_value_heads
    kept = 2 * config.num_hidden_layers * wide * (asked + tokens) * spoken[0].itemsize
    return count.plus(
        flops=2 * rows * tokens * sum(weight.numel() for weight in spoken),
        read=tokens * sum(weight.nbytes for weight in spoken),
        peak=rows * kept,
    )


def preference(vlm: VLM, setting: Setting, narrowed: bool = True) -> Count:
    """One update by DPO: pictures seen once, policy forward and backward, reference forward, optimiser's moments.

    A prompt stands once before both its answers where they share it. The vocabulary's logits are those of the answers,
    whole; TRL takes them in pieces, so this is an upper bound. Trains with `vlm`: give it away.
    """
    told, length, model = setting.vlm, setting.answer, _tuned(vlm, setting, narrowed)
    copies = 1 if told.share_prompt else ANSWERS
    said = ANSWERS // copies * length
    batch = doors.asked(vlm.processor, doors.drawn(setting, copies * told.batch_size), said)

    def likelihood() -> torch.Tensor:
        logits = model(**batch, logits_to_keep=said, use_cache=False).logits
        return logits.float().log_softmax(-1)[..., 0].reshape(ANSWERS, -1).sum(1)

    def step():
        policy = likelihood()
        with torch.no_grad(), model.disable_adapter():
            reference = likelihood()
        functional.softplus((reference - policy).diff()).mean().backward()

    return _update(counted(step, model, told.batch_size, narrowed), model, told.gradient_accumulation)


def _tuned(vlm: VLM, setting: Setting, narrowed: bool):
    """The model with adapters as `dpo.build` makes it: pictures seen once, activations recomputed if asked for."""
    from peft import get_peft_model

    model = get_peft_model(vlm.model, dpo.lora(setting.vlm)).train()
    if setting.vlm.gradient_checkpointing:
        again = {"use_reentrant": False, "context_fn": lambda: (nullcontext(), AsOnACard(narrowed))}
        switch = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        switch(again)  # the backward pass leaves the mode of the forward pass
    vision_cache.cache_vision_features(model)
    return model


def _update(count: Count, model: torch.nn.Module, steps: int) -> Count:
    """An update of several steps, with the optimiser's memory, which is there from the second one on."""
    moments = MOMENTS * sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
    return replace(count, flops=steps * count.flops, units=steps * count.units, peak=count.peak + moments)
