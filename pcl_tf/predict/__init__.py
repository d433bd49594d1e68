"""Answers for pictures and videos, as tables, curves and written over the frames."""
