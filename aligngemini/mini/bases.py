"""The shapes of the mini bases: real architectures, small configurations, stored as the hub stores their big
sisters.
"""

from pathlib import Path

HOME = Path(__file__).parents[2] / "data" / "mini"
VAES = ("vae/kl", "vae/transposed", "vae/shuffle", "vae/vq", "vae/adversarial")
NAMES = ("vlm_neutral", "vlm", "expert", *VAES, "upscalers/superres")
FOLDERS = {name.rpartition("/")[2]: HOME / name for name in NAMES}
WIDTH, LAYERS, HEADS = 128, 3, 4
INIT = 0.06  # near 1 / sqrt(WIDTH); with the usual 0.02 a model this narrow learns to look much later (our trial)
EXPERT_NAME = "vit_small_patch14_dinov2"
# timm starts DINOv2's layer scale at 1e-5, from which a short training never recovers.
EXPERT_SHAPE = dict(img_size=112, patch_size=14, embed_dim=128, depth=4, num_heads=4, num_classes=0, init_values=1.0)


def vlm_config(words):
    """A `Qwen2_5_VLConfig` of about 2 million parameters for a tokenizer `words`.

    rope_theta is 10: with the usual 10,000 and heads of 32 the width section of M-RoPE turns too slowly to tell
    neighbouring columns of a 4 x 4 grid apart (our measurement).
    """
    from transformers import Qwen2_5_VLConfig

    names = ("image_pad", "video_pad", "vision_start", "vision_end", "im_end", "endoftext")
    ids = {name: words.convert_tokens_to_ids(f"<|{name}|>") for name in names}
    shape = {"hidden_size": WIDTH, "intermediate_size": 3 * WIDTH, "initializer_range": INIT}
    text = shape | {"vocab_size": len(words), "num_hidden_layers": LAYERS, "max_position_embeddings": 1024}
    text |= {"num_attention_heads": HEADS, "num_key_value_heads": 2, "tie_word_embeddings": False}
    text |= {"rope_parameters": {"rope_type": "default", "rope_theta": 10.0, "mrope_section": [4, 6, 6]}}
    text |= {"bos_token_id": ids["endoftext"], "eos_token_id": ids["im_end"], "pad_token_id": ids["endoftext"]}
    vision = shape | {"depth": 4, "num_heads": HEADS, "out_hidden_size": WIDTH, "fullatt_block_indexes": [0, 1, 2, 3]}
    vision |= {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112}
    tokens = {"image_token_id": "image_pad", "video_token_id": "video_pad"}
    tokens |= {"vision_start_token_id": "vision_start", "vision_end_token_id": "vision_end"}
    known = {name: ids[token] for name, token in tokens.items()}
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=False, initializer_range=INIT, **known
    )
