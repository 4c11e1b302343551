"""The learned answers: pairs from the simulator, training, the gate, and the registry of models."""
