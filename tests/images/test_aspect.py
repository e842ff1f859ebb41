"""Images too long for a VLM are known by their size."""

import pandas as pd
import pytest
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from aligngemini.images import aspect


@pytest.mark.parametrize("size", [(200, 1), (201, 1), (1, 200), (1, 201), (2100, 10), (2000, 10), (64, 64)])
def test_the_limit_is_that_of_the_processor(size):
    if aspect.reason(*size):
        with pytest.raises(ValueError, match="aspect ratio"):
            smart_resize(*size)
    else:
        smart_resize(*size)


def test_the_rows_beyond_a_vlm_are_named_with_their_reason():
    rows = pd.DataFrame(
        {"path": list("abc"), "width": [300, 1, 0], "height": [1, 1, 0], "reason": ["", "", "no image"]}
    )
    beyond = aspect.too_long(rows)
    assert beyond.path.tolist() == ["a"] and list(beyond.columns) == list(rows.columns)
    assert beyond.reason.iloc[0] == "the VLM cannot look at it: aspect ratio above 200 (300 x 1 px)"
