"""Questions about an image."""
