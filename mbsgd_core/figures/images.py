"""Images side by side (floor 5)."""

import numpy as np


def montage(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Images (n, height, width), 0 ... 1 with ink at 1, side by side on white paper: (H, W) uint8.

    Example:
        >>> montage(np.ones((3, 2, 2)), columns=2, gap=1).tolist()
        [[0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [255, 255, 255, 255, 255], [0, 0, 255, 255, 255], [0, 0, 255, 255, 255]]
    """
    count, tall, wide = images.shape
    rows = -(-count // columns)
    paper = np.full((rows * (tall + gap), columns * (wide + gap)), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (tall + gap), (i % columns) * (wide + gap)
        paper[y : y + tall, x : x + wide] = np.round(255 * (1 - image.clip(0, 1)))
    return paper[:-gap, :-gap]
