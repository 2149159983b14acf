"""The paper's own scores, and its tables recomputed from them."""
