"""Sweeps: which runs a command stands for, starting them, and looking at them."""
