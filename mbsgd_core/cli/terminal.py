"""What the command line draws on standard error (floor 6)."""

import sys


def draw_bar(label: str, done: int, whole: int, unit: str = "updates") -> None:
    """A progress bar; into a file or a pipe goes the finished one alone."""
    if done < whole and not sys.stderr.isatty():
        return
    filled = "#" * (30 * done // max(whole, 1))
    print(f"\r{plain(label)[:20]:<20} [{filled:<30}] {done:,}/{whole:,} {unit}", end="", file=sys.stderr, flush=True)


def plain(label: str) -> str:
    """A label that cannot move the terminal's cursor.

    Example:
        >>> plain("SGD"), plain("SGD" + chr(27) + "[2J")
        ('SGD', 'SGD\\\\x1b[2J')
    """
    return label if label.isprintable() else ascii(label)[1:-1]
