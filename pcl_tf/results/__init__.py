"""Results of probes and fine-tunings: a row of JSON each, as a table, a CSV, a picture and scalars of TensorBoard."""
