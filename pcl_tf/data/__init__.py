"""Faces in: sources of encoded images, decoding, the decoded cache, batches out (uint8)."""
