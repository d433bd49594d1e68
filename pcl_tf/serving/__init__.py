"""The frozen encoder for others: SavedModels in numbered folders, model cards, a page, a client."""
