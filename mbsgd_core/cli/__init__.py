"""The command line (floor 6): `main`, and one file a command."""
