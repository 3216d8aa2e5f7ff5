/* rtc.c - the wall clock: at power-on KVM's, else the CMOS clock (MC146818 and its successors); then the TSC
 * carries it, and the CMOS clock is looked at now and then.
 *
 * A machine that was stopped, or whose host was put to sleep or set, goes on with an old time otherwise. So
 * the distance between the two clocks is kept: zero at power-on, whatever it is when the host says the time
 * (clock/host.c) or the application sets it. If it has changed by more than the CMOS clock's whole seconds
 * explain, the time is set to what keeps it, and the host is asked for the rest.
 *
 * The CMOS clock counts whole seconds, in BCD or binary, with 12 or 24 hours as its status register B says.
 * It must not be read while it updates itself, so the read is repeated until two agree. QEMU keeps it in UTC.
 */
#include "clock.h"
#include "thread.h"

enum {
    SECONDS = 0,
    MINUTES = 2,
    HOURS = 4,
    DAY = 7,
    MONTH = 8,
    YEAR = 9,
    STATUS_A = 10,
    STATUS_B = 11,
    CENTURY = 0x32
};
#define UPDATING 0x80
#define BINARY   0x04
#define HOURS_24 0x02
#define PM       0x80

struct reading {
    uint8_t second, minute, hour, day, month, year, century;
};
static const uint8_t registers[sizeof(struct reading)] = {SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, CENTURY};

static uint8_t cmos(uint8_t reg)
{
    uint8_t value;
    __asm__ volatile("outb %%al, $0x70; inb $0x71, %%al"
                     : "=a"(value)
                     : "0"((uint8_t)(reg | 0x80))); /* NMI off */
    return value;
}

/* Not expanded where it is used, and not unrolled: every boot comes here, and pays for code by its size. */
__attribute__((noinline)) static void read_once(struct reading *r)
{
    uint8_t *to = (uint8_t *)r;

    for (size_t i = 0; i < sizeof(registers); i++)
        to[i] = cmos(registers[i]);
}

/* False: no such chip (the bus floats), or it never stops updating. */
static bool read_steadily(struct reading *r)
{
    for (int tries = 0; tries < 100000; tries++) {
        if (cmos(STATUS_A) & UPDATING)
            continue;
        struct reading again;
        read_once(r);
        read_once(&again);
        if (memcmp(r, &again, sizeof(again)) != 0 || cmos(STATUS_A) & UPDATING)
            continue;
        return r->month != 0xff && r->day != 0;
    }
    return false;
}

static unsigned plain(uint8_t value, bool binary)
{
    return binary ? value : (unsigned)(value >> 4) * 10 + (value & 15);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; years are counted from March, so that the leap
 * day comes last. */
static int64_t days_since_1970(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool cmos_real(int64_t *ns)
{
    struct reading r;
    if (!read_steadily(&r))
        return false;
    uint8_t status = cmos(STATUS_B);
    bool binary = status & BINARY;
    bool pm = !(status & HOURS_24) && r.hour & PM;
    unsigned hour = plain(r.hour & (status & HOURS_24 ? 0xff : 0x7f), binary);
    if (!(status & HOURS_24))
        hour = hour % 12 + (pm ? 12 : 0);
    unsigned century = plain(r.century, binary);
    if (century < 19 || century > 29)
        century = 20;
    int64_t days = days_since_1970((int64_t)century * 100 + plain(r.year, binary), plain(r.month, binary),
                                   plain(r.day, binary));
    int64_t seconds = ((days * 24 + hour) * 60 + plain(r.minute, binary)) * 60 + plain(r.second, binary);
    *ns = seconds * 1000000000;
    return true;
}

struct wait_queue clock_real_changes = {LIST_INIT(clock_real_changes.waiters)};

int64_t clock_real(void)
{
    return (int64_t)clock_now() + clock_page.real_offset;
}

/* By KVM, or set by the program: it needs nobody's advice. */
static bool known PER_BOOT;

bool clock_real_known(void)
{
    return known;
}

static void set(int64_t ns)
{
    clock_page.sequence++;
    compiler_barrier();
    clock_page.real_offset = ns - (int64_t)clock_now();
    compiler_barrier();
    clock_page.sequence++;
    wake_all(&clock_real_changes, 0);
}

#define LOOK_NS    4000000000UL /* between two looks at the CMOS clock */
#define AGAIN_NS   10000000UL   /* it is updating itself: in a moment */
#define APART_MOST 1100000000L  /* more than its whole seconds explain */

static int64_t apart; /* the real time less the CMOS clock's */
static void follow(struct timer *);
static struct timer look = {.fire = follow};

static void follow(struct timer *t)
{
    int64_t cmos_ns;
    bool busy = cmos(STATUS_A) & UPDATING;
    if (!busy && cmos_real(&cmos_ns)) {
        int64_t changed = clock_real() - cmos_ns - apart;
        if (changed > APART_MOST || changed < -APART_MOST) {
            set(cmos_ns + apart);
            clock_ask_anew();
        }
    }
    timer_start(t, clock_now() + (busy ? AGAIN_NS : LOOK_NS));
}

void clock_start_real(int64_t ns)
{
    int64_t cmos_ns;
    if (look.active && cmos_real(&cmos_ns))
        apart = ns - cmos_ns;
    set(ns);
}

void clock_set_real(int64_t ns)
{
    known = true;
    clock_start_real(ns);
}

/* Cold and resumed boots alike: a frozen image wakes up at another date. */
void clock_real_start(void)
{
    int64_t ns, cmos_ns = 0;
    bool is_cmos = cmos_real(&cmos_ns);
    known = kvmclock_real(&ns);
    timer_cancel(&look);
    if (known || is_cmos)
        set(known ? ns : cmos_ns);
    else
        log_line("no wall clock was found: the date begins at 1970");
    apart = known && is_cmos ? ns - cmos_ns : 0;
    if (is_cmos)
        timer_start(&look, clock_now() + LOOK_NS);
}
