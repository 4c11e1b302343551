"""Captures with known truth, and what the product makes of them."""
