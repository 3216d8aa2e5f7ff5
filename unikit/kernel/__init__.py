"""The runtime's kernel for one image: compile, select the components, link."""
