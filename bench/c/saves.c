/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saves library|bare MB: saves and restores a PVH guest with MB megabytes, all of which were written. The
 * stream is a file in memory. "save" and "restore" are the speeds in MB/s; "save_cpu" and "restore_cpu" are
 * the MB for each second of processor time of this process and its children. With "bare" this process calls
 * xc_domain_save and xc_domain_restore, and the numbers are those of these two functions alone.
 *
 * saves memory N: N saves wait for the reader of their streams. "bytes" is the memory that this process has
 * allocated for each of them.
 */
#define XC_WANT_COMPAT_MAP_FOREIGN_API 1 /* xc_map_foreign_bulk */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenguest.h>

#include "bench.h"
#include "domains.h"
#include "library.h"

enum { CHUNK = 1024, PAGE = 4096, SMALL_MB = 20, WAIT_MS = 10 };

static libxl_ctx *ctx;

static uint32_t start_guest(libxl_domain_config *config)
{
    uint32_t domid;
    bench_check(!libxl_domain_create_new(ctx, config, &domid, NULL, NULL), "libxl_domain_create_new");
    bench_check(!libxl_domain_unpause(ctx, domid, NULL), "libxl_domain_unpause");
    return domid;
}

/* Writes into all pages from 4 MB on, as a guest that has run for some time has done. */
static void write_pages(uint32_t domid, unsigned long pages)
{
    xen_pfn_t gfns[CHUNK];
    int errors[CHUNK];
    for (unsigned long first = CHUNK; first < pages; first += CHUNK) {
        for (unsigned long i = 0; i < CHUNK; i++)
            gfns[i] = first + i;
        char *map = xc_map_foreign_bulk(domains_xc(), domid, PROT_READ | PROT_WRITE, gfns, errors, CHUNK);
        bench_check(map, "xc_map_foreign_bulk");
        for (unsigned long i = 0; i < CHUNK; i++)
            if (!errors[i])
                map[i * PAGE] = 1;
        munmap(map, (size_t)CHUNK * PAGE);
    }
}

struct span {
    double time, cpu; /* in s */
};

/* Returns the processor time of this process and of its children that have ended, in s. */
static double cpu_now(void)
{
    double sum = 0;
    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
        struct rusage usage;
        bench_check(!getrusage(who, &usage), "getrusage");
        sum += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return sum;
}

static struct span begin(void)
{
    return (struct span){.cpu = cpu_now(), .time = (double)bench_now() / 1e9};
}

static struct span end(struct span span)
{
    return (struct span){.cpu = cpu_now() - span.cpu, .time = (double)bench_now() / 1e9 - span.time};
}

/* ---- xc_domain_save and xc_domain_restore alone */

static int suspend_at_once(void *data)
{
    return !xc_domain_shutdown(domains_xc(), *(const int *)data, SHUTDOWN_suspend);
}

static int do_nothing(uint32_t domid, unsigned enable, void *data)
{
    (void)domid, (void)enable, (void)data;
    return 0;
}

static void save_bare(uint32_t domid, int fd)
{
    int number = (int)domid;
    struct save_callbacks callbacks = {
        .suspend = suspend_at_once, .switch_qemu_logdirty = do_nothing, .data = &number};
    bench_check(!xc_domain_save(domains_xc(), fd, domid, 0, &callbacks, XC_STREAM_PLAIN, -1),
                "xc_domain_save");
}

static int take_static_data(unsigned missing, void *data)
{
    (void)data;
    return missing ? -1 : 0;
}

static struct span restore_bare(unsigned long mb, int fd)
{
    xc_interface *xc = domains_xc();
    struct restore_callbacks callbacks = {.static_data_done = take_static_data};
    unsigned long store = 0, console = 0;
    const uint32_t domid = domain_pvh();
    bench_check(!xc_domain_setmaxmem(xc, domid, (mb + 1) << 10), "xc_domain_setmaxmem");
    const int ports[] = {xc_evtchn_alloc_unbound(xc, domid, 0), xc_evtchn_alloc_unbound(xc, domid, 0)};
    const struct span began = begin();
    bench_check(!xc_domain_restore(xc, fd, domid, (unsigned)ports[0], &store, 0, (unsigned)ports[1], &console,
                                   0, XC_STREAM_PLAIN, &callbacks, -1),
                "xc_domain_restore");
    const struct span took = end(began);
    domains_end();
    return took;
}

/* ---- through the library */

static struct span restore(libxl_domain_config *config, int fd)
{
    libxl_domain_restore_params params;
    uint32_t domid;
    libxl_domain_restore_params_init(&params);
    params.stream_version = 2;
    const struct span began = begin();
    bench_check(!libxl_domain_create_restore(ctx, config, &domid, fd, -1, &params, NULL, NULL),
                "libxl_domain_create_restore");
    const struct span took = end(began);
    libxl_domain_restore_params_dispose(&params);
    bench_check(!libxl_domain_destroy(ctx, domid, NULL), "libxl_domain_destroy");
    return took;
}

static int speeds(bool bare, unsigned long mb)
{
    libxl_domain_config config = library_guest(ctx, LIBXL_DOMAIN_TYPE_PVH, (unsigned)mb, "l");
    const uint32_t domid = start_guest(&config);
    const int fd = memfd_create("saved", 0);
    bench_check(fd >= 0, "memfd_create");
    write_pages(domid, mb << 8);
    const struct span began = begin();
    if (bare)
        save_bare(domid, fd);
    else
        bench_check(!libxl_domain_suspend(ctx, domid, fd, 0, NULL), "libxl_domain_suspend");
    const struct span saved = end(began);
    const double size = (double)lseek(fd, 0, SEEK_END) / 1e6;
    bench_check(!libxl_domain_destroy(ctx, domid, NULL) && !lseek(fd, 0, SEEK_SET), "the end of the guest");
    const struct span restored = bare ? restore_bare(mb, fd) : restore(&config, fd);
    bench_say("save", size / saved.time);
    bench_say("restore", size / restored.time);
    bench_say("save_cpu", size / saved.cpu);
    bench_say("restore_cpu", size / restored.cpu);
    libxl_domain_config_dispose(&config);
    return bench_done();
}

/* ---- the memory of saves that wait */

/* Returns the number of saves that have ended in this step. */
static long step(void)
{
    library_step(ctx, WAIT_MS);
    return library_take(ctx, NULL);
}

static int memory(long count)
{
    uint32_t *domids = calloc((size_t)count, sizeof(*domids));
    struct pollfd *readers = calloc((size_t)count, sizeof(*readers));
    int *writers = calloc((size_t)count, sizeof(*writers));
    bench_check(domids && readers && writers, "calloc");
    for (long i = 0; i < count; i++) {
        int ends[2];
        libxl_domain_config config = library_guest(ctx, LIBXL_DOMAIN_TYPE_PVH, SMALL_MB, "l");
        domids[i] = start_guest(&config);
        libxl_domain_config_dispose(&config);
        bench_check(!pipe2(ends, O_CLOEXEC), "pipe2");
        readers[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
        writers[i] = ends[1];
    }
    const size_t before = bench_live_bytes();
    for (long i = 0; i < count; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i};
        bench_check(!libxl_domain_suspend(ctx, domids[i], writers[i], 0, &how), "libxl_domain_suspend");
    }
    for (long i = 0; i < count; i++) {
        char octets[PAGE];
        /* Reads more octets than the stream's headers have. After that, libxenguest has begun to write. */
        for (size_t size = 0; size < sizeof(octets);) {
            bench_check(!step(), "a save has ended");
            const bool some = poll(&readers[i], 1, 0) > 0;
            const ssize_t got = some ? read(readers[i].fd, octets, sizeof(octets) - size) : 0;
            bench_check(!some || got > 0, "reading a stream");
            size += (size_t)got;
        }
    }
    bench_say("bytes", (double)(bench_live_bytes() - before) / (double)count);
    for (long i = 0; i < count; i++)
        close(readers[i].fd); /* the saves fail with EPIPE, and the guests run again */
    for (long done = 0; done < count;)
        done += step();
    for (long i = 0; i < count; i++) {
        bench_check(!libxl_domain_destroy(ctx, domids[i], NULL), "libxl_domain_destroy");
        close(writers[i]);
    }
    free(writers);
    free(readers);
    free(domids);
    return bench_done();
}

int main(int argc, char **argv)
{
    const unsigned long number = (unsigned long)bench_number(argc, argv, 2);
    ctx = library_open();
    const int status =
        !strcmp(argv[1], "memory") ? memory((long)number) : speeds(!strcmp(argv[1], "bare"), number);
    libxl_ctx_free(ctx);
    return status;
}
