"""Fine-tuning: the encoder and a last layer, taught by labels."""
