"""What writes the files that are committed, run by hand: python -m tools.make_data, .make_tiles or .make_pictures."""
