"""What writes committed files, run by hand: python -m tools.make_data, tools.make_tiles, tools.make_pictures ..."""
