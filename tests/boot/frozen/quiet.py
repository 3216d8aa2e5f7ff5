"""Ends without a port on which it listened; it imports nothing."""


def main():
    print("nothing to serve")
    raise SystemExit(3)


main()
