"""HOW MUCH: every number stillsky uses, with its meaning, unit and range."""
