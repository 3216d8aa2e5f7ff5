"""Hashing and checking passwords, key derivation."""

import bcrypt

hashed = bcrypt.hashpw(b"password", bcrypt.gensalt(rounds=4))
assert bcrypt.checkpw(b"password", hashed) and not bcrypt.checkpw(b"Password", hashed)
assert len(bcrypt.kdf(b"password", b"salt", 32, 10)) == 32
