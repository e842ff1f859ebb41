"""Preference pairs from the remarks of images."""

from aligngemini.vlm import preference_pairs, verdict


def test_reasons_are_true_of_the_picture_when_chosen_and_of_its_twin_when_rejected(rows):
    frame = preference_pairs.from_remarks(rows).set_index("image_id")
    for row in rows.itertuples():
        twin = rows[(rows.pair_id == row.pair_id) & (rows.label != row.label)].remark.item()
        assert frame.chosen[row.image_id] == f"{verdict.VERDICTS[row.label]}. {row.remark}"
        assert frame.rejected[row.image_id] == f"{verdict.VERDICTS[1 - row.label]}. {twin}"


def test_reasons_may_be_the_same_on_both_sides_or_absent(rows):
    own, none = (preference_pairs.from_remarks(rows, reasons) for reasons in ("own", "none"))
    for column in ("chosen", "rejected"):
        assert [text.split(". ", 1)[1] for text in own[column]] == rows.remark.tolist()
    assert set(none.chosen) == {"This image is real.", "This image is fake."}
    assert (own.chosen != own.rejected).all() and (none.chosen != none.rejected).all()


def test_pictures_without_a_twin_get_bare_verdicts(rows):
    frame = preference_pairs.from_remarks(rows.assign(pair_id=rows.image_id))
    assert set(frame.chosen) == {"This image is real.", "This image is fake."}
    assert (frame.chosen != frame.rejected).all()
