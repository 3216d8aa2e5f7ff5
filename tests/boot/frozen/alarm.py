"""A timer runs that the child of a fork would not have."""

import signal

signal.setitimer(signal.ITIMER_REAL, 3600)


def main():
    signal.pause()


main()
