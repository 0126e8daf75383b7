/* Shifts the wall clock of the process it is preloaded into, by a number of nanoseconds in a shared file.
 *
 * A wait until a time of day ends when the shifted clock says so, as in a kernel whose clock is set: a step ahead ends it,
 * a step back prolongs it. The waits therefore look at the clock in slices. A signal that comes between two slices meets
 * nobody who waits, so signals are counted: a wait whose count has changed ends. The monotonic clock and waits on it stay
 * true.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000, SLICE = 20000000;
static const int WAITS_ON_MONOTONIC = 2; /* in glibc's __wrefs: the clock that pthread_condattr_setclock chose */
static const volatile int64_t *shift;

typedef int signaller(pthread_cond_t *);
static signaller *signal_one, *signal_all;
static atomic_uint signals[1021]; /* by address; conditions that share one end each other's waits early, as they may */

__attribute__((constructor)) static void open_shift(void) {
    const char *path = getenv("WORKER_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        shift = mapped;
}

__attribute__((constructor)) static void find_signallers(void) {
    signal_one = (signaller *)dlsym(RTLD_NEXT, "pthread_cond_signal");
    signal_all = (signaller *)dlsym(RTLD_NEXT, "pthread_cond_broadcast");
}

static atomic_uint *signals_of(const pthread_cond_t *condition) {
    return &signals[(uintptr_t)condition / sizeof(void *) % (sizeof signals / sizeof *signals)];
}

static int64_t nanoseconds(const struct timespec *at) { return at->tv_sec * SECOND + at->tv_nsec; }

static struct timespec timespec_of(int64_t time) {
    int64_t rest = (time % SECOND + SECOND) % SECOND;
    return (struct timespec){.tv_sec = (time - rest) / SECOND, .tv_nsec = rest};
}

static int64_t read_clock(clockid_t clock) {
    struct timespec at;
    syscall(SYS_clock_gettime, clock, &at);
    return nanoseconds(&at) + (clock == CLOCK_REALTIME && shift ? *shift : 0);
}

/* When on the monotonic clock the next slice of a wait until `deadline` ends; whether that is the last one. */
static int slice_end(const struct timespec *deadline, struct timespec *end) {
    int64_t left = nanoseconds(deadline) - read_clock(CLOCK_REALTIME);
    *end = timespec_of(read_clock(CLOCK_MONOTONIC) + (left > SLICE ? SLICE : left));
    return left <= 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (syscall(SYS_clock_gettime, clock, at) != 0)
        return -1;
    if (shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        *at = timespec_of(nanoseconds(at) + *shift);
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    int64_t now = read_clock(CLOCK_REALTIME);
    struct timespec exact = timespec_of(now);
    *at = (struct timeval){.tv_sec = exact.tv_sec, .tv_usec = exact.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at) {
    struct timespec now = timespec_of(read_clock(CLOCK_REALTIME));
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline) {
    if (condition->__data.__wrefs & WAITS_ON_MONOTONIC)
        return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, deadline);
    atomic_uint *seen = signals_of(condition);
    unsigned before = atomic_load(seen);
    for (;;) {
        struct timespec end;
        int last = slice_end(deadline, &end);
        int outcome = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &end);
        if (outcome != ETIMEDOUT || last)
            return outcome;
        if (atomic_load(seen) != before)
            return 0;
    }
}

int pthread_cond_signal(pthread_cond_t *condition) {
    atomic_fetch_add(signals_of(condition), 1);
    return signal_one(condition);
}

int pthread_cond_broadcast(pthread_cond_t *condition) {
    atomic_fetch_add(signals_of(condition), 1);
    return signal_all(condition);
}

/* glibc's C11 types are its POSIX types under other names. */

int cnd_signal(cnd_t *condition) { return pthread_cond_signal((pthread_cond_t *)condition) ? thrd_error : thrd_success; }

int cnd_broadcast(cnd_t *condition) {
    return pthread_cond_broadcast((pthread_cond_t *)condition) ? thrd_error : thrd_success;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict deadline) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, deadline)) {
    case 0:
        return thrd_success;
    case ETIMEDOUT:
        return thrd_timedout;
    default:
        return thrd_error;
    }
}

int sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
    for (;;) {
        struct timespec end;
        int last = slice_end(deadline, &end);
        if (sem_clockwait(semaphore, CLOCK_MONOTONIC, &end) == 0)
            return 0;
        if (errno != ETIMEDOUT || last)
            return -1;
    }
}
