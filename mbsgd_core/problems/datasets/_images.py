"""What data sets of images share (floor 1)."""

DIGITS = tuple("0123456789")


def pixel_names(height: int, width: int) -> tuple[str, ...]:
    """A name for each pixel, row by row from the top left.

    Example:
        >>> pixel_names(2, 2)
        ('pixel_0_0', 'pixel_0_1', 'pixel_1_0', 'pixel_1_1')
    """
    return tuple(f"pixel_{row}_{column}" for row in range(height) for column in range(width))
