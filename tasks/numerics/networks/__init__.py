"""Small nets as plain torch modules: each is a zero-initialised residual on a classical answer that is passed in."""
