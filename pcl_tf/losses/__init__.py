"""PCL's losses as pure functions of tensors: float32 inside, no state, no strategy."""
