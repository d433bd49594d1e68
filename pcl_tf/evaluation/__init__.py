"""Measures frozen features; knows nothing of how they were learned."""
