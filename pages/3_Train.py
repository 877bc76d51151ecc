"""Train: data sets and networks, learnt in the background."""

from mbsgd_core.ui.train import main

main()
