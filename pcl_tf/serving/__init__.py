"""The frozen encoder: SavedModel signatures and version folders."""
