/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compresses the stream into a container. libxenguest writes into a pipe. Each thread reads the next part from the
 * pipe, and compresses it. Meanwhile the other threads read and compress the parts after it. A thread writes its part
 * when the part before is written, so the parts stay in order.
 *
 * Owns: the threads, their buffers, the pipe's reading end, and the duplicate of the stream's descriptor. If
 * compress_end is not called, the kernel frees them when the process ends.
 */
#include "container.h"
#include "program.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

enum { MOST_THREADS = 64 };

typedef struct compressor {
    pthread_t thread;
    ZSTD_CCtx *zstd;
    void *plain, *packed; /* the part, before and after the compression */
} compressor;

static compressor compressors[MOST_THREADS];
static unsigned count;        /* the number of threads that were started */
static int in = -1, out = -1; /* the descriptors from which the threads read and to which they write */

/* A thread holds the mutex `reading` while it reads a part. The mutex guards `begun` and `ended`. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
static uint32_t begun; /* the number of parts that were read */
static bool ended;     /* the end of the pipe was reached */

/* Guards the variables that follow. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint32_t written; /* the number of parts that were written */
static unsigned running; /* the number of threads that have not ended */
static int failure;      /* the errno of the first failure; 0: no failure */

static void fail(int errnoval)
{
    pthread_mutex_lock(&mutex);
    if (!failure)
        failure = errnoval ? errnoval : EIO;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

int compress_error(void)
{
    pthread_mutex_lock(&mutex);
    const int errnoval = failure;
    pthread_mutex_unlock(&mutex);
    return errnoval;
}

/* Reads the next part. Returns its size, or 0 if there is no further part or the compression has failed. */
static size_t read_part(char *plain, uint32_t *number)
{
    size_t size = 0;
    pthread_mutex_lock(&reading);
    while (!ended && size < PART) {
        const ssize_t got = read(in, plain + size, PART - size);
        if (got < 0)
            fail(errno);
        ended = got <= 0 || compress_error();
        size += got > 0 ? (size_t)got : 0;
    }
    *number = begun;
    begun += size != 0;
    pthread_mutex_unlock(&reading);
    return compress_error() ? 0 : size;
}

/* Waits until all parts before this one are written. Returns false if the compression has failed. */
static bool await_turn(uint32_t number)
{
    pthread_mutex_lock(&mutex);
    while (written != number && !failure)
        pthread_cond_wait(&changed, &mutex);
    const bool good = !failure;
    pthread_mutex_unlock(&mutex);
    return good;
}

static bool write_part(uint32_t number, const void *packed, size_t size)
{
    const part_header header = {
        .frame = htole32(CONTAINER_FRAME),
        .length = htole32(PART_LENGTH),
        .number = htole32(number),
        .size = htole32((uint32_t)size),
        .crc = htole32((uint32_t)crc32_z(0, packed, size)),
    };
    return write_all(out, &header, sizeof(header)) && write_all(out, packed, size);
}

static void compress_part(const compressor *c, uint32_t number, size_t size)
{
    const size_t packed = ZSTD_compress2(c->zstd, c->packed, ZSTD_compressBound(PART), c->plain, size);
    if (ZSTD_isError(packed)) {
        fail(ENOMEM);
    } else if (await_turn(number)) {
        if (!write_part(number, c->packed, packed))
            fail(errno);
        pthread_mutex_lock(&mutex);
        written++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
}

static void *take_turns(void *data)
{
    const compressor *c = data;
    uint32_t number;
    size_t size;
    while ((size = read_part(c->plain, &number)) > 0)
        compress_part(c, number, size);
    pthread_mutex_lock(&mutex);
    /*
     * The last thread closes the reading end of the pipe. If the threads have failed, libxenguest's next write then
     * fails, and the save ends.
     */
    if (!--running)
        close(in);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* Starts one more thread. Returns false with errno. */
static bool start_thread(int level)
{
    compressor *c = &compressors[count];
    c->zstd = ZSTD_createCCtx();
    c->plain = malloc(PART);
    c->packed = malloc(ZSTD_compressBound(PART));
    errno = c->zstd && c->plain && c->packed ? 0 : ENOMEM;
    if (!errno && (ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, level)) ||
                   ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1))))
        errno = EINVAL;
    if (!errno)
        errno = pthread_create(&c->thread, NULL, take_turns, c);
    count += !errno;
    return !errno;
}

/*
 * Starts the threads. If some of the threads cannot be started, the others do the work. Returns false with errno if
 * no thread was started.
 */
static bool start_threads(unsigned threads, int level)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the main thread handles the signals */
    pthread_mutex_lock(&mutex);
    while (count < threads && start_thread(level))
        running++;
    pthread_mutex_unlock(&mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count > 0;
}

bool compress_begin(unsigned threads, int level)
{
    const container_header header = {.frame = htole32(CONTAINER_FRAME),
                                     .length = htole32(CONTAINER_LENGTH),
                                     .magic = CONTAINER_MAGIC,
                                     .version = htole32(CONTAINER_VERSION)};
    int ends[2];
    if (!write_all(STREAM, &header, sizeof(header)) || pipe2(ends, O_CLOEXEC))
        return false;
    fcntl(ends[1], F_SETPIPE_SZ, PART); /* With a larger pipe libxenguest waits less often. */
    in = ends[0];
    out = fcntl(STREAM, F_DUPFD_CLOEXEC, HEAD + 1);
    if (out < 0 || dup2(ends[1], STREAM) < 0)
        return false;
    close(ends[1]);
    return start_threads(threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads, level);
}

bool compress_end(void)
{
    if (!count)
        return true;
    /*
     * Makes STREAM the descriptor that it was before, which pace_end needs. This also closes the pipe's writing end,
     * so the threads end.
     */
    if (dup2(out, STREAM) < 0)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!join_thread(compressors[i].thread))
            return false;
    errno = failure;
    const bool good = !failure && write_part(begun, NULL, 0);
    close(out);
    return good;
}
