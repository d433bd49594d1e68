"""From files to batches: sources of encoded images, decoding, the cache of decoded faces, batches (uint8)."""
