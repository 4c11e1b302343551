"""Files that come in: captures and what lies beside them."""
