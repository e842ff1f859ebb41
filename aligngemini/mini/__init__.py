"""How the mini bases are made, from pictures of the small world."""
