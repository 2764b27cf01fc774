"""Models behind servers: asked over HTTP with ids, and believed only as far as their answers were checked."""
