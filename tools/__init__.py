"""What writes the files that are committed, run by hand: python -m tools.make_data, python -m tools.make_tiles."""
