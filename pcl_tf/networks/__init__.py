"""Encoder, projection heads and decoder of PCL as functional Keras models."""
