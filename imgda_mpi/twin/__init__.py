"""Twin experiments: another nature, the images that it gives, and what became of them."""
