"""The sentence above the table on Train: who is ahead, by what, and who made many more updates."""

from types import SimpleNamespace

import numpy as np
from mbsgd_core.figures.train import montage, verdict


def lane(updates, train, test=np.nan, right=np.nan, diverged_at=-1):
    return SimpleNamespace(
        update=updates, diverged_at=diverged_at, looks=np.array([[updates, 0, 0, train, test, right]])
    )


LABELS = ["BGD", "SGD", "Mini-batch"]


def test_accuracy_counts_first_and_updates_are_told_where_they_differ():
    lanes = [lane(20, 0.3, 0.31, 0.925), lane(3200, 0.02, 0.01, 1.0), lane(200, 0.01, 0.02, 0.975)]
    assert verdict(LABELS, lanes, False) == (
        "Test rows right: SGD 100.0%, Mini-batch 97.5%, BGD 92.5%. BGD made 20 updates, SGD 3,200."
    )
    assert verdict(LABELS, lanes, True).startswith("Test rows right so far: SGD")


def test_without_classes_or_test_rows_a_loss_decides():
    assert verdict(["a", "b"], [lane(5, 3.0, 2.0), lane(9, 4.0, 1.5)], False) == "Test loss: b 1.5, a 2."
    assert verdict(["a", "b"], [lane(5, 3.0), lane(9, 4.25)], False) == "Train loss: a 3, b 4.25."


def test_who_is_lost_is_not_ranked_and_nothing_is_said_of_a_start():
    lanes = [lane(4, np.nan, diverged_at=4), lane(8, 1e3), lane(9, np.inf, diverged_at=9)]
    assert verdict(LABELS, lanes, False) == "Train loss: SGD 1,000. BGD diverged. Mini-batch diverged."
    assert verdict(["a"], [lane(3, np.nan, diverged_at=3)], False) == "a diverged."
    assert verdict(["a", "b"], [lane(0, 1.0), lane(0, 1.0)], False) == ""


def test_a_montage_has_every_image_in_its_place():
    images = np.zeros((5, 4, 3))
    images[3] = 0.6
    shown = montage(images, columns=2, gap=1)
    assert shown.shape == (14, 7) and shown.dtype == np.uint8
    assert (shown[5:9, 4:7] == 102).all() and (shown[:4, :3] == 255).all() and (shown == 255).sum() == 14 * 7 - 12
