"""Stands for a package that is known to start its threads again in the child of a fork."""
