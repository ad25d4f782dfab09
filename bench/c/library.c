/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the list of the descriptors that libxl asks to poll, from library_wait to library_process. The
 * program has one thread.
 */
#include "library.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <xentoollog.h>

#include "bench.h"

enum { DISK_OCTETS = 1 << 20 };

libxl_ctx *library_open(void)
{
    libxl_ctx *ctx;
    /* libxl requires a logger. This logger prints only errors. */
    xentoollog_logger *logger = (void *)xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
    bench_check(!libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, logger), "libxl_ctx_alloc");
    return ctx;
}

#ifdef LIBXL_HAVE_EVENT_TAKE

enum { BATCH = 256 };

bool library_wait(libxl_ctx *ctx, int milliseconds)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    return poll(&fd, 1, milliseconds) > 0;
}

void library_process(libxl_ctx *ctx)
{
    (void)ctx; /* Nothing is done here, because libxl_event_take() handles the descriptors. */
}

long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user))
{
    libxl_event_record records[BATCH];
    long taken = 0;
    for (int n = BATCH; n == BATCH; taken += n) {
        n = libxl_event_take(ctx, records, BATCH);
        bench_check(n >= 0, "libxl_event_take");
        for (int i = 0; i < n; i++) {
            if (records[i].event)
                libxl_event_free(ctx, records[i].event);
            if (seen)
                seen(records[i].for_user);
        }
    }
    return taken;
}

#else

enum { MOST_FDS = 256 };

static struct pollfd fds[MOST_FDS];
static int fd_count;

static struct timeval now(void)
{
    struct timeval t;
    gettimeofday(&t, NULL);
    return t;
}

bool library_wait(libxl_ctx *ctx, int milliseconds)
{
    int timeout = milliseconds;
    fd_count = MOST_FDS;
    bench_check(!libxl_osevent_beforepoll(ctx, &fd_count, fds, &timeout, now()), "libxl_osevent_beforepoll");
    return poll(fds, (nfds_t)fd_count, timeout) > 0 || timeout < milliseconds;
}

void library_process(libxl_ctx *ctx)
{
    libxl_osevent_afterpoll(ctx, fd_count, fds, now());
}

long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user))
{
    libxl_event *event;
    long taken = 0;
    for (; !libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL); taken++) {
        if (seen)
            seen(event->for_user);
        libxl_event_free(ctx, event);
    }
    return taken;
}

#endif

bool library_step(libxl_ctx *ctx, int milliseconds)
{
    bool ready = library_wait(ctx, milliseconds);
    if (ready)
        library_process(ctx);
    return ready;
}

libxl_domain_config library_guest(libxl_ctx *ctx, libxl_domain_type type, unsigned memory_mb,
                                  const char *command_line)
{
    static atomic_uint number;
    const char *kernel = getenv("AIOXEN_BENCH_KERNEL");
    libxl_domain_config config;
    bench_check(kernel, "AIOXEN_BENCH_KERNEL");
    libxl_domain_config_init(&config);
    config.c_info.type = type;
    bench_check(asprintf(&config.c_info.name, "bench-%d-%u", (int)getpid(), number++) > 0, "asprintf");
#ifndef LIBXL_HAVE_AIOXEN
    libxl_domain_build_info_init_type(&config.b_info, type);
    config.b_info.max_vcpus = 1;
    bench_check(!libxl_cpu_bitmap_alloc(ctx, &config.b_info.avail_vcpus, 1), "libxl_cpu_bitmap_alloc");
    libxl_bitmap_set(&config.b_info.avail_vcpus, 0);
    config.b_info.max_memkb = (uint64_t)memory_mb << 10;
#endif
    config.b_info.target_memkb = (uint64_t)memory_mb << 10;
    config.b_info.kernel = strdup(kernel);
    config.b_info.cmdline = strdup(command_line);
    (void)ctx;
    return config;
}

static void add_disk(libxl_device_disk *disk, const char *vdev)
{
    static atomic_uint number;
    const char *folder = getenv("AIOXEN_BENCH_FOLDER");
    bench_check(folder, "AIOXEN_BENCH_FOLDER");
    libxl_device_disk_init(disk);
    bench_check(asprintf(&disk->pdev_path, "%s/%d-%u", folder, (int)getpid(), number++) > 0, "asprintf");
    const int fd = open(disk->pdev_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bench_check(fd >= 0 && !ftruncate(fd, DISK_OCTETS) && !close(fd), disk->pdev_path);
    disk->vdev = strdup(vdev);
    disk->format = LIBXL_DISK_FORMAT_RAW;
    disk->backend = LIBXL_DISK_BACKEND_PHY;
    disk->readwrite = 1;
}

void library_add_devices(libxl_domain_config *config)
{
    config->num_disks = 2;
    config->disks = calloc(2, sizeof(*config->disks));
    config->num_nics = 1;
    config->nics = calloc(1, sizeof(*config->nics));
    bench_check(config->disks && config->nics, "calloc");
    add_disk(&config->disks[0], "xvda");
    add_disk(&config->disks[1], "xvdb");
    libxl_device_nic_init(config->nics);
    config->nics->bridge = strdup("xenbr0");
    config->nics->nictype = LIBXL_NIC_TYPE_VIF;
}

#ifndef LIBXL_HAVE_EVENT_IS_FOR
int libxl_event_is_for(const libxl_event *event, void *user)
{
    return event->for_user == *(const uint64_t *)user;
}
#endif
