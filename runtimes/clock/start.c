/* start.c - the clocks come up, on a cold boot and when a frozen image resumes: the LAPIC (ruler and alarm),
 * the TSC's rate, the wall clock. */
#include "clock.h"

void clocks_start(void)
{
    lapic_start();
    clock_start();
    lapic_alarm_on();
    clock_real_start();
}

START(time)
{
    clocks_start();
}
