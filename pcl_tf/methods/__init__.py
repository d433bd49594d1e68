"""Methods: a keras.Model each, whose train_step computes everything."""
