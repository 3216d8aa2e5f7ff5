"""Questions about an image: each is a query over the graph that the image carries, one module a question."""
