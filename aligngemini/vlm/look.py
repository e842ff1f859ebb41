"""What a VLM looks at: an image as its processor would reduce it, so that none is larger in memory than it is seen."""

import numpy as np
from PIL import Image

from aligngemini.images import aspect
from aligngemini.images.header import Unreadable

from .load import VLM

SMALL = 256 * 256  # pixels; images up to this stay as they are, for any model
FAR = 4  # times the pixels that the model sees; only larger images are reduced here, so that others stay as they are


def look(vlm: VLM, image: Image.Image | np.ndarray) -> Image.Image:
    """A PIL image, or uint8 [H, W, 3], as a PIL image of at most about FAR times the pixels that the model sees.

    It is resized as the processor does it, with the same filter to the same size. Raises Unreadable if it is too long.
    """
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if why := aspect.reason(image.width, image.height):
        raise Unreadable(why)
    if image.width * image.height <= SMALL:
        return image
    own = vlm.processor.image_processor
    rules = own.patch_size * own.merge_size, own.size["shortest_edge"], own.size["longest_edge"]
    height, width = smart_resize(image.height, image.width, *rules)
    excess = image.width * image.height / (width * height)
    if excess <= FAR:
        return image
    if smart_resize(height, width, *rules) == (height, width):
        return image.resize((width, height), own.resample)
    return image.reduce(int((excess / FAR) ** 0.5) + 1)  # a strip so thin that it is resized once more
