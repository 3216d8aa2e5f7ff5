"""What it opens again in each boot is not there."""

import unikit


@unikit.after_thaw
def connect():
    raise ConnectionRefusedError("no database")


def main():
    pass


main()
