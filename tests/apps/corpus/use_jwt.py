"""Tokens signed with a secret and with an elliptic curve's key; an expired one, a wrong audience."""

import datetime

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

secret = "a secret that is long enough for it"
now = datetime.datetime.now(datetime.timezone.utc)
token = jwt.encode({"sub": "ada", "exp": now + datetime.timedelta(hours=1)}, secret, algorithm="HS256")
assert jwt.decode(token, secret, algorithms=["HS256"])["sub"] == "ada"
key = ec.generate_private_key(ec.SECP256R1())
token = jwt.encode({"aud": "shop", "exp": now - datetime.timedelta(hours=1)}, key, algorithm="ES256")
try:
    jwt.decode(token, key.public_key(), algorithms=["ES256"], audience="shop")
except jwt.ExpiredSignatureError:
    pass
else:
    raise AssertionError("an old token was taken")
