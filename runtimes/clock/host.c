/* host.c - the wall clock follows the host's, which is asked for it over the report channel.
 *
 * The CMOS clock counts whole seconds, and QEMU's begins them when QEMU starts: it is up to a second behind
 * the host's clock, and watching it does not tell how much. So the host is asked. It answers with its time
 * and with the question's own, so that half of the way there and back is all that can be wrong (F. Cristian,
 * "Probabilistic clock synchronization", 1989). A few questions at boot set the clock. Later ones, ever
 * further apart, show how far the measured rate of the TSC is off: the rate is corrected, and what has
 * gathered is worked off until the next question by time that goes a little slower or faster. Only what is
 * too much for that - the host's clock was set, the guest stood still - makes the clock jump.
 *
 * kvmclock needs none of this, and a program that sets the clock keeps it.
 */
#include "calls.h"
#include "report.h"

#define GOOD    1000000UL  /* ns there and back: no need to ask again */
#define JUMP    128000000L /* ns: more is not worked off; ntpd's step threshold */
#define MOST    2000       /* the rate is changed by 1/2000 at most; adjtimex(2)'s 500 ppm */
#define FIRST   (8 * SECOND)
#define LONGEST (1024 * SECOND)
enum { TRIES = 6 };

/* The questions that are asked together; the fastest answer counts. */
static unsigned tries PER_BOOT;
static uint64_t fastest PER_BOOT; /* ns there and back */
static int64_t offset PER_BOOT;   /* real_offset by that answer */

static uint64_t settled PER_BOOT; /* when the clock was set right last; 0: never in this boot */
static int64_t interval PER_BOOT; /* until the next questions */
static int64_t slew PER_BOOT;     /* the part of the rate that works off what has gathered */

void clock_ask(void)
{
    if (clock_real_known())
        return;
    report_begin("clock");
    report_number("asked", (int64_t)clock_now());
    report_end();
}

static void ask_again(struct timer *t)
{
    (void)t;
    report_clock();
}

static struct timer next_time = {.fire = ask_again};

static int64_t limited(int64_t value, int64_t most)
{
    return value > most ? most : value < -most ? -most : value;
}

/* `behind`: ns that the clock is certainly behind, negative: ahead. */
static void correct_rate(int64_t behind, int64_t elapsed)
{
    int64_t rate = (int64_t)clock_page.scale - slew, most = rate / MOST;

    rate += limited(rate * behind / max(elapsed, FIRST), most);
    slew = limited(rate * behind / interval, most);
    clock_set_scale((uint64_t)(rate + slew));
}

static void settle(uint64_t now)
{
    int64_t behind = offset - clock_page.real_offset, doubt = (int64_t)fastest / 2;
    bool jumps = !settled || behind > JUMP + doubt || behind < -JUMP - doubt;

    interval = settled ? min(interval * 4, LONGEST) : FIRST;
    if (jumps)
        clock_start_real((int64_t)now + offset);
    else
        correct_rate(behind - limited(behind, doubt), (int64_t)(now - settled));
    settled = now;
    timer_start(&next_time, now + (uint64_t)interval);
}

void clock_ask_anew(void)
{
    settled = 0;
    tries = 0;
    report_clock();
}

bool clock_told(uint64_t real, uint64_t asked)
{
    uint64_t now = clock_now(), way = now - asked;

    if (asked > now || clock_real_known())
        return false;
    if (tries == 0 || way < fastest) {
        fastest = way;
        offset = (int64_t)(real - (asked + way / 2));
    }
    if (!settled && tries == 0)
        clock_start_real((int64_t)now + offset); /* the program begins: roughly right at once */
    if (fastest > GOOD && ++tries < TRIES)
        return true;
    tries = 0;
    settle(now);
    return false;
}
