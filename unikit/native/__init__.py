"""ELF files of the application and of its interpreter: what they load, what they call, whose they are."""
