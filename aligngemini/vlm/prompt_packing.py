"""Pack chosen and rejected answer into one sequence that shares the prompt: faster, equal up to rounding."""

import torch

from aligngemini.core.progress import say_once

from . import parts

# Types of models whose losses packing leaves as they are, which tests hold by comparing a batch with separate rows.
# Recurrent layers (Qwen3.5), and images whose tokens see each other (Gemma 3), have no place for a mask of our own.
PACKED = {"qwen2_5_vl", "qwen3_vl", "smolvlm", "internvl"}
PLAIN = "share_prompt: both answers stay in rows of their own, which takes longer and changes no loss"


class PackedLayout:
    """Where the tokens of pairs lie when both answers stand in one row: prompt, chosen, rejected.

    Built from embeddings [2 n, width, d], positions [k, 2 n, width] and a mask [2 n, width] of rows filled from the
    left, the chosen ones first. What a pair's two rows begin with in common, the prompt and the first words of both
    answers, is kept once.
    """

    def __init__(self, embeds: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor):
        rows, self.width = mask.shape
        self.pairs = rows // 2
        one, other = embeds.tensor_split(2)
        same = (one == other).all(-1) & (positions[:, : self.pairs] == positions[:, self.pairs :]).all(0)
        self.chosen, self.rejected = (half.sum(1, keepdim=True) for half in mask.long().tensor_split(2))
        both = same & mask[: self.pairs].bool() & mask[self.pairs :].bool()
        self.common = both.long().cumprod(1).sum(1, keepdim=True)
        self.total = self.chosen + self.rejected - self.common
        self.place = torch.arange(int(self.total.max()), device=embeds.device)[None]

    def packed(self, values: torch.Tensor) -> torch.Tensor:
        """Rows [2 n, width, ...] as [n, longest, ...]; what stands past a row's end is arbitrary."""
        row = torch.arange(self.pairs, device=values.device)[:, None]
        late = self.place >= self.chosen
        column = torch.where(late, self.place - self.chosen + self.common, self.place)
        column = torch.where(self.place < self.total, column, 0)
        return values[torch.where(late, row + self.pairs, row), column]

    def unpacked(self, values: torch.Tensor) -> torch.Tensor:
        """The way back: [n, longest, ...] as [2 n, width, ...]."""
        column = torch.arange(self.width, device=values.device)[None].expand(self.pairs, -1)
        second = torch.where(column < self.common, column, column - self.common + self.chosen)
        columns = [torch.where(column < self.chosen, column, 0), torch.where(column < self.rejected, second, 0)]
        row = torch.arange(self.pairs, device=values.device)[:, None]
        return torch.cat([values[row, places] for places in columns])

    def mask(self) -> torch.Tensor:
        """The attention mask, bool [n, 1, longest, longest]: no token sees a later one, or one of the other answer."""
        query, key = self.place[..., None], self.place[:, None]
        common, chosen, total = (size[..., None] for size in (self.common, self.chosen, self.total))
        other = (query >= chosen) & (key >= common) & (key < chosen)
        return (((key <= query) & (key < total) & ~other) | (key == query))[:, None]


class PackedForward:
    """The forward pass of a language model in training that packs pairs; `run` is the model's own."""

    def __init__(self, run):
        self.run = run

    def __call__(self, inputs_embeds=None, position_ids=None, attention_mask=None, **options):
        """As the model's own, with the same last hidden state [rows, width, d]."""
        inputs = {"inputs_embeds": inputs_embeds, "position_ids": position_ids, "attention_mask": attention_mask}
        if not self._pairs(attention_mask):
            return self.run(**inputs, **options)
        if position_ids is None:
            position_ids = torch.arange(inputs_embeds.shape[1], device=inputs_embeds.device)
            position_ids = position_ids.expand(1, *attention_mask.shape)
        layout = PackedLayout(inputs_embeds, position_ids, attention_mask)
        positions = torch.stack([layout.packed(axis) for axis in position_ids])
        packed = layout.packed(inputs_embeds)
        if options.get("visual_pos_masks") is not None:
            options |= _visuals(layout, options["visual_pos_masks"], options["deepstack_visual_embeds"])
        positions = positions if len(positions) > 1 else positions[0]
        output = self.run(inputs_embeds=packed, position_ids=positions, attention_mask=layout.mask(), **options)
        return type(output)(last_hidden_state=layout.unpacked(output.last_hidden_state))

    def _pairs(self, attention_mask) -> bool:
        """Whether these are rows of training pairs, filled from the left."""
        if not self.run.__self__.training or attention_mask is None or attention_mask.ndim != 2:
            return False
        left = attention_mask.long().diff(dim=1).le(0).all() and attention_mask[:, 0].all()
        return len(attention_mask) % 2 == 0 and bool(left)


def _visuals(layout: PackedLayout, places: torch.Tensor, layers: list[torch.Tensor]) -> dict:
    """The packed places [n, longest] of image tokens, and what a layer adds there [tokens, d] (Qwen3-VL) for each."""
    spread = [values.new_zeros(*places.shape, values.shape[-1]) for values in layers]
    for rows, values in zip(spread, layers, strict=True):
        rows[places] = values
    packed = layout.packed(places) & (layout.place < layout.total)
    return {"visual_pos_masks": packed, "deepstack_visual_embeds": [layout.packed(rows)[packed] for rows in spread]}


def pack_prompts(model: torch.nn.Module) -> None:
    """Let a model (with or without adapter) pack the pairs of its training; its losses stay what they were.

    Only models of the types in PACKED do, where all layers attend to all tokens by sdpa, which takes a mask of our own.
    Others train on separate rows, and a line says so.
    """
    core = parts.core(model)
    text = core.get_decoder()
    layers = getattr(text.config, "layer_types", None) or ["full_attention"]
    if core.config.model_type not in PACKED:
        say_once(f"{PLAIN}: models of type {core.config.model_type} are not known to allow it")
    elif text.config._attn_implementation != "sdpa" or set(layers) != {"full_attention"}:
        say_once(f"{PLAIN}: it needs attention of the kind sdpa without sliding windows")
    else:
        text.forward = PackedForward(text.forward)
