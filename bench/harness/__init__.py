"""Contenders side by side: what `make bench` runs."""
