"""A run: its folder, checkpoints, callbacks and loop."""
