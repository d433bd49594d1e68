"""From videos and photographs to datasets of clips that training reads."""
