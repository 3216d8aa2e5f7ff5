"""The smallest program: that it ran at all is its verdict."""

print("hello")
