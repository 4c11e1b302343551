"""HOW: arrays in, arrays out."""
