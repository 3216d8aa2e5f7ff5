/* POSIX threads as glibc builds them on clone3 and futexes. */
#define _GNU_SOURCE
#include "../check.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#define MANY 300
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long total;
static __thread long mine;
static int turn;

static void *add(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&mutex);
        total++, mine++;
        pthread_mutex_unlock(&mutex);
        if (i % 100 == 0)
            sched_yield();
    }
    CHECK(mine == 1000);
    return arg;
}

static void *ping(void *arg)
{
    int me = (int)(long)arg;
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != me)
            pthread_cond_wait(&condition, &mutex);
        turn = !me;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static volatile double spun;
static volatile int stop;
static void *spin(void *arg)
{
    double x = *(double *)arg; /* each thread its own vector registers, with no call to give up the CPU */
    double y = 0;
    while (!stop)
        y += x, y -= x;
    CHECK(y == 0);
    spun += x;
    return NULL;
}

static void *leave(void *held)
{
    return pthread_mutex_lock(held), NULL;
}

int main(void)
{
    pthread_t threads[MANY];
    for (long i = 0; i < MANY; i++)
        CHECK(pthread_create(&threads[i], NULL, add, (void *)i) == 0);
    for (long i = 0; i < MANY; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && (long)result == i);
    }
    CHECK(total == MANY * 1000L);

    for (long i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, ping, (void *)i) == 0);
    for (long i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);

    double numbers[3] = {1.25, 3.5, 1e9};
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, spin, &numbers[i]) == 0);
    struct timespec pause = {0, 60000000};
    nanosleep(&pause, NULL);
    stop = 1;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(spun == 1e9 + 4.75);

    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000)
        until.tv_sec++, until.tv_nsec -= 1000000000;
    sem_t semaphore;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    CHECK_ERRNO(sem_timedwait(&semaphore, &until), ETIMEDOUT);
    CHECK(sem_post(&semaphore) == 0 && sem_wait(&semaphore) == 0);

    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    CHECK(pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0);
    static pthread_mutex_t left;
    pthread_mutex_init(&left, &robust);
    CHECK(pthread_create(&threads[0], NULL, leave, &left) == 0);
    CHECK(pthread_join(threads[0], NULL) == 0 && pthread_mutex_lock(&left) == EOWNERDEAD);

    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(fork() == -1 || getenv("ON_LINUX"));
    return 0;
}
