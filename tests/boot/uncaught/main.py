def inner():
    raise ValueError("a clear message")


inner()
