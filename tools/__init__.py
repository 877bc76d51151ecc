<<<<<<< HEAD
"""What writes committed files, run by hand: python -m tools.make_data, tools.make_tiles, tools.make_pictures ..."""
=======
"""What writes the files that are committed, run by hand: python -m tools.make_data, .make_tiles or .make_pictures."""
>>>>>>> 39038bb14de2e764f690965ea408c6f77c081b1c
