"""Freezes itself inside a coroutine, with a task under way; the loop and its signals go on."""

import asyncio
import os
import signal

import unikit


async def count(numbers):
    for i in range(3):
        await asyncio.sleep(0.01)
        numbers.append(i)


async def main():
    loop, numbers, told = asyncio.get_running_loop(), [], asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, told.set)
    task = asyncio.create_task(count(numbers))
    await asyncio.sleep(0)
    frozen = unikit.freeze()
    assert asyncio.get_running_loop() is loop
    await task
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(told.wait(), 60)
    with open("/dev/unikit/report", "w") as report:
        report.write(f"{frozen} {numbers}")


asyncio.run(main())
