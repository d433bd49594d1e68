"""Faces that show nobody: people, expressions and scenes as numbers, and what a camera sees of them."""
