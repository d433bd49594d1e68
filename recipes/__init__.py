"""Recipes: what a run does, as plain Python. See recipes/common.py for every field."""
