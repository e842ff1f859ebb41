"""Cards of the mini bases: the same facts for programs and for people."""

import json

from aligngemini.mini import pretrain


def test_a_card_reads_as_a_table_and_loses_nothing(tmp_path):
    facts = {
        "told": "to describe",
        "command": "aligngemini mini pretrain --only vlm",
        "seed": 3,
        "steps": {"eyes": 10, "words": 20},
        "log": [{"step": 10, "loss": 0.5}, {"step": 20, "loss": 0.25}],
        "accuracy": {"count": {"usual": 0.9, "violated": 0.8}, "light": {"usual": 1.0}},
        "psnr": 27.5,
        "environment": {"packages": {"torch": "2.15.0"}},
    }
    pretrain.write_card(tmp_path, "vlm", facts)
    assert json.loads((tmp_path / "card.json").read_text()) == facts
    told = (tmp_path / "README.md").read_text()
    assert "- **steps**: eyes 10, words 20" in told and "| 20 | 0.25 |" in told
    assert "| count | 0.9 | 0.8 |" in told and "| light | 1.0 |  |" in told and "27.5" in told
    assert told.endswith("Made with torch 2.15.0.\n")
