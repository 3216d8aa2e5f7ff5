/* futex(2) itself, below what glibc makes of it. */
#define _GNU_SOURCE
#include "../check.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long futex(uint32_t *word, int op, uint32_t value, const void *time, uint32_t *second, uint32_t third)
{
    return syscall(SYS_futex, word, op, value, time, second, third);
}

static uint32_t word, other;
static uint32_t *map_a, *map_b;
static long woken[8];

struct job {
    int slot, op;
    uint32_t *word, third;
};

static void *waiter(void *arg)
{
    struct job *j = arg;
    woken[j->slot] = futex(j->word, j->op, 0, NULL, NULL, j->third) ? -errno : 1;
    return NULL;
}

static void start(pthread_t *t, struct job *j)
{
    CHECK(pthread_create(t, NULL, waiter, j) == 0);
    usleep(10000); /* the machine has one CPU: it waits by now */
}

static double seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void timeouts(void)
{
    struct timespec t = {0, 20000000}, bad = {0, 1000000000};
    double before = seconds(CLOCK_MONOTONIC), after;
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0), ETIMEDOUT);
    after = seconds(CLOCK_MONOTONIC);
    CHECK(after - before >= 0.02 && after - before < 0.5);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, &t, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, &t, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((uint32_t *)16, FUTEX_WAIT, 0, &t, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(&word, 77, 0, NULL, NULL, 0), ENOSYS);
    for (int real = 0; real < 2; real++) {
        clock_gettime(real ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t);
        t.tv_nsec += 20000000;
        if (t.tv_nsec >= 1000000000)
            t.tv_sec++, t.tv_nsec -= 1000000000;
        before = seconds(CLOCK_MONOTONIC);
        int op = FUTEX_WAIT_BITSET_PRIVATE | (real ? FUTEX_CLOCK_REALTIME : 0);
        CHECK_ERRNO(futex(&word, op, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
        after = seconds(CLOCK_MONOTONIC);
        CHECK(after - before > 0.015 && after - before < 0.5);
        t.tv_sec = 0; /* long ago */
        CHECK_ERRNO(futex(&word, op, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
    }
}

static void bitsets_and_requeue(void)
{
    pthread_t t[3];
    struct job a = {0, FUTEX_WAIT_BITSET_PRIVATE, &word, 1}, b = {1, FUTEX_WAIT_BITSET_PRIVATE, &word, 2};
    start(&t[0], &a), start(&t[1], &b);
    CHECK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 4) == 0);
    CHECK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 2) == 1);
    CHECK(pthread_join(t[1], NULL) == 0 && woken[1] == 1 && woken[0] == 0);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1 && pthread_join(t[0], NULL) == 0);

    memset(woken, 0, sizeof(woken));
    struct job c[3] = {{0, FUTEX_WAIT_PRIVATE, &word, 0},
                       {1, FUTEX_WAIT_PRIVATE, &word, 0},
                       {2, FUTEX_WAIT_PRIVATE, &word, 0}};
    for (int i = 0; i < 3; i++)
        start(&t[i], &c[i]);
    CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 9), EAGAIN);
    CHECK(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 0) == 2); /* one woken, one moved */
    CHECK(pthread_join(t[0], NULL) == 0 && woken[0] == 1);
    CHECK(futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1);
    CHECK(pthread_join(t[1], NULL) == 0);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1 && pthread_join(t[2], NULL) == 0);

    /* The second word: 0 becomes 5; its old value 0 equals 0, so its waiter wakes too. */
    struct job d = {0, FUTEX_WAIT_PRIVATE, &word, 0}, e = {1, FUTEX_WAIT_PRIVATE, &other, 0};
    start(&t[0], &d), start(&t[1], &e);
    CHECK(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other,
                FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 0)) == 2);
    CHECK(pthread_join(t[0], NULL) == 0 && pthread_join(t[1], NULL) == 0 && other == 5);
    CHECK(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other,
                FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_LT, -3)) == 0);
    CHECK(other == 4);
}

/* The same page mapped twice is one futex. */
static void shared(void)
{
    int fd = memfd_create("word", 0);
    CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
    map_a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map_b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map_a != MAP_FAILED && map_b != MAP_FAILED && map_a != map_b);
    pthread_t t;
    struct job j = {0, FUTEX_WAIT, map_a + 3, 0};
    start(&t, &j);
    CHECK(futex(map_b + 3, FUTEX_WAKE, 1, NULL, NULL, 0) == 1 && pthread_join(t, NULL) == 0);
}

static uint32_t pi;
static void *pi_holder(void *arg)
{
    CHECK(futex(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
    CHECK((pi & FUTEX_TID_MASK) == (uint32_t)gettid());
    usleep(20000);
    CHECK(pi & FUTEX_WAITERS);
    CHECK(futex(&pi, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
    return arg;
}

static void priority_inheriting(void)
{
    pthread_t t;
    CHECK(pthread_create(&t, NULL, pi_holder, NULL) == 0);
    usleep(5000);
    CHECK_ERRNO(futex(&pi, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&pi, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
    CHECK(futex(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
    CHECK((pi & FUTEX_TID_MASK) == (uint32_t)gettid());
    CHECK_ERRNO(futex(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    CHECK(futex(&pi, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0 && pi == 0);
    CHECK(pthread_join(t, NULL) == 0);

    pthread_mutexattr_t kind;
    pthread_mutex_t mutex;
    pthread_mutexattr_init(&kind);
    CHECK(pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT) == 0);
    CHECK(pthread_mutex_init(&mutex, &kind) == 0 && pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

int main(void)
{
    timeouts();
    bitsets_and_requeue();
    shared();
    priority_inheriting();
    return 0;
}
