/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing between calls. Looks at /proc/self and at xenstore by libxenstore itself, not by what is
 * tested. */
#include "harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenstore.h>

enum { PATIENCE_MS = 2000 };

static int entries(const char *directory)
{
    int count = 0;
    DIR *dir = opendir(directory);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static int nodes_below(struct xs_handle *xs, const char *path)
{
    unsigned count = 0;
    free(xs_directory(xs, XBT_NULL, path, &count));
    return (int)count;
}

static void look_at_world(struct fixture *f)
{
    struct xs_handle *xs = xs_open(0);
    f->has_world = xs;
    f->domains = f->nodes = 0;
    if (!xs)
        return;
    unsigned count = 0;
    char **names = xs_directory(xs, XBT_NULL, "/local/domain", &count);
    for (unsigned i = 0; i < count && f->domains < 64; i++)
        f->domids[f->domains++] = (libxl_domid)strtoul(names[i], NULL, 10);
    free(names);
    f->nodes = nodes_below(xs, "/vm") + nodes_below(xs, "/libxl");
    xs_close(xs);
}

void fixture_begin(struct fixture *before)
{
    look_at_world(before);
    before->descriptors = entries("/proc/self/fd");
    before->threads = entries("/proc/self/task");
}

static void check_count(const char *what, const char *directory, int before)
{
    for (uint64_t end = now_ms() + PATIENCE_MS; entries(directory) != before && now_ms() < end;)
        sleep_ms(5);
    if (entries(directory) != before)
        fail_msg("%d %s before the test, %d after it", before, what, entries(directory));
}

/* The domains that the hypervisor has. */
static libxl_dominfo *domains(int *count)
{
    libxl_ctx *ctx;
    *count = 0;
    if (libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL))
        return NULL;
    libxl_dominfo *list = libxl_list_domain(ctx, count);
    libxl_ctx_free(ctx);
    return list;
}

static bool is_new(const struct fixture *before, libxl_domid domid)
{
    for (int i = 0; i < before->domains; i++)
        if (before->domids[i] == domid)
            return false;
    return true;
}

void fixture_check_world(const struct fixture *before)
{
    struct fixture now;
    look_at_world(&now);
    if (now.domains != before->domains || now.nodes != before->nodes)
        fail_msg("xenstore has %d domains and %d other nodes; before the test %d and %d", now.domains,
                 now.nodes, before->domains, before->nodes);
    int count;
    libxl_dominfo *list = domains(&count);
    for (int i = 0; i < count; i++)
        if (is_new(before, list[i].domid))
            fail_msg("domain %u is left", list[i].domid);
    libxl_dominfo_list_free(list, count);
}

void fixture_check(const struct fixture *before)
{
    if (before->has_world)
        fixture_check_world(before);
    check_count("descriptors", "/proc/self/fd", before->descriptors);
    check_count("threads", "/proc/self/task", before->threads);
}

void fixture_clean(const struct fixture *before)
{
    int count;
    libxl_ctx *ctx;
    if (!before->has_world)
        return;
    libxl_dominfo *list = domains(&count);
    for (int i = 0; i < count; i++)
        if (is_new(before, list[i].domid) && libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL) == 0) {
            libxl_domain_destroy(ctx, list[i].domid, NULL);
            libxl_ctx_free(ctx);
        }
    libxl_dominfo_list_free(list, count);
}

void fixture_check_counters(libxl_ctx *ctx)
{
    libxl_counters now;
    libxl_ctx_counters(ctx, &now);
    /* What an operation has given up may still run on a worker for a moment. */
    for (uint64_t end = now_ms() + PATIENCE_MS; now.jobs && now_ms() < end; libxl_ctx_counters(ctx, &now))
        sleep_ms(2);
    const struct {
        const char *name;
        uint64_t value;
    } live[] = {
        {"operations", now.operations}, {"events", now.events},           {"timers", now.timers},
        {"watches", now.watches},       {"descriptors", now.descriptors}, {"jobs", now.jobs},
        {"evgens", now.evgens},
    };
    for (size_t i = 0; i < sizeof(live) / sizeof(*live); i++)
        if (live[i].value)
            fail_msg("the context still has %llu %s", (unsigned long long)live[i].value, live[i].name);
    assert_int_equal(now.operations_started, now.operations_completed);
}
