"""Which faces a feature holds alike: nearest neighbours, duplicates, and pictures of both."""
