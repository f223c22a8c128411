"""What the rest knows of any model: its restart, the image of its surface, its members."""
