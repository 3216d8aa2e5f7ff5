/* alarm.h - an interval timer on any clock: the part that setitimer(2), timer_settime(2) and
 * timerfd_settime(2) share.
 *
 * It fires at a time of its clock and then every interval. CPU clocks and the settable real clock do not
 * advance with the timers' own: when the timer comes early by that clock, it is set again for what is left.
 */
#ifndef UNIKIT_ALARM_H
#define UNIKIT_ALARM_H

#include "../clock/calls.h"

struct alarm {
    struct timer timer;
    struct waiter clock_set; /* of absolute times on the real clock */
    enum clock_kind kind;
    int tid; /* whose CPU time, for CLOCK_KIND_THREAD */
    bool active;
    int64_t next, interval; /* on its clock, ns; interval 0: once */
    /* `times` intervals have passed since it last fired. Interrupt context. */
    void (*fire)(struct alarm *, uint64_t times);
};

void alarm_init(struct alarm *, enum clock_kind kind, int tid, void (*fire)(struct alarm *, uint64_t times));
/* value 0: stops. `absolute`: value is a time of the clock. */
void alarm_set(struct alarm *, int64_t value, int64_t interval, bool absolute);
void alarm_stop(struct alarm *);
/* What is left until it fires; 0: stopped. */
int64_t alarm_left(const struct alarm *);
int64_t alarm_now(const struct alarm *);

#endif
