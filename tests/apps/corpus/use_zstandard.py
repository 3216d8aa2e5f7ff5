"""Compression: frames, streams, dictionaries, a damaged frame."""

import io

import zstandard

data = b"unikernel " * 10_000
packed = zstandard.ZstdCompressor(level=10).compress(data)
assert len(packed) < 200 and zstandard.ZstdDecompressor().decompress(packed) == data
file = io.BytesIO()
with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as writer:
    writer.write(data)
assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.getvalue())).read() == data
try:
    zstandard.ZstdDecompressor().decompress(b"nothing")
except zstandard.ZstdError:
    pass
else:
    raise AssertionError("no error")
