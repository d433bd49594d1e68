"""From corpora as they are handed out to datasets that training and probes read."""
