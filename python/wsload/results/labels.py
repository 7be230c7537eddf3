"""Labels with a meaning of their own: runs that were made in rounds for each other, one of either side per round."""

COMPARISON = "comparison"
"""The same for all runs that were made together."""
ROUND = "round"
SIDE = "side"
