/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the log of all calls, the file AIOXEN_SIM_TRACE. Each call is written as one line by one write, so the
 * lines of several processes do not mix. Needs no lock.
 */
#include "machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tracing;
static int trace_fd = -1;

void trace_open(void)
{
    const char *path = getenv("AIOXEN_SIM_TRACE");
    if (path && *path)
        trace_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    tracing = trace_fd >= 0;
}

/* Returns a checksum of the data to which a pointer in a hypercall's arguments points. */
static uint64_t sum_of(const void *data, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull;
    return sum;
}

static size_t add_sum(char *text, const void *data, size_t size)
{
    return (size_t)snprintf(text, TRACED_ARGUMENTS, " [%" PRIx64 "]", sum_of(data, size));
}

/*
 * The table of the domctls whose arguments are traced in hexadecimal. All of them change a domain. `size`: the number
 * of octets that are traced. The octets after them are not traced, because callers do not initialise them.
 */
static const struct {
    uint32_t cmd;
    size_t size;
} traced[] = {
#define TRACED(name, member)                                                                                 \
    {                                                                                                        \
        XEN_DOMCTL_##name, sizeof(((struct xen_domctl *)NULL)->u.member)                                     \
    }
    TRACED(createdomain, createdomain),
    TRACED(max_vcpus, max_vcpus),
    TRACED(max_mem, max_mem),
    TRACED(settimeoffset, settimeoffset),
    TRACED(settscinfo, tsc_info),
    TRACED(ioport_permission, ioport_permission),
    TRACED(iomem_permission, iomem_permission),
    TRACED(memory_mapping, memory_mapping),
    {XEN_DOMCTL_scheduler_op, 2 * sizeof(uint32_t) + sizeof(struct xen_domctl_sched_credit2)},
    {XEN_DOMCTL_shadow_op, 2 * sizeof(uint32_t)},
#undef TRACED
};

/*
 * Writes the arguments in hexadecimal. For some domctls, adds a checksum of the bitmap to which an argument points.
 */
void trace_domctl(const struct xen_domctl *domctl, char text[TRACED_ARGUMENTS])
{
    const struct xenctl_bitmap *nodes = &domctl->u.nodeaffinity.nodemap;
    const struct xen_domctl_vcpuaffinity *vcpu = &domctl->u.vcpuaffinity;
    for (size_t i = 0; i < sizeof traced / sizeof *traced; i++)
        for (size_t at = 0; traced[i].cmd == domctl->cmd && at < traced[i].size; at += sizeof(uint32_t)) {
            uint32_t word;
            memcpy(&word, domctl->u.pad + at, sizeof word);
            text += snprintf(text, 10, " %x", word);
        }
    if (domctl->cmd == XEN_DOMCTL_setnodeaffinity)
        add_sum(text, nodes->bitmap.p, nodes->nr_bits / 8);
    if (domctl->cmd == XEN_DOMCTL_setvcpuaffinity && vcpu->flags & XEN_VCPUAFFINITY_HARD)
        text += add_sum(text, vcpu->cpumap_hard.bitmap.p, vcpu->cpumap_hard.nr_bits / 8);
    if (domctl->cmd == XEN_DOMCTL_setvcpuaffinity && vcpu->flags & XEN_VCPUAFFINITY_SOFT)
        add_sum(text, vcpu->cpumap_soft.bitmap.p, vcpu->cpumap_soft.nr_bits / 8);
}

void trace_hvm_op(const struct xen_hvm_param *param, char text[TRACED_ARGUMENTS])
{
    snprintf(text, TRACED_ARGUMENTS, " dom %u param %u = %" PRIx64, param->domid, param->index, param->value);
}

void trace_memory_map(const struct xen_foreign_memory_map *map, char text[TRACED_ARGUMENTS])
{
    const struct traced_range {
        uint64_t start, size;
        uint32_t type;
    } __attribute__((packed)) *ranges = map->map.buffer.p;
    size_t at = (size_t)snprintf(text, TRACED_ARGUMENTS, " dom %u", map->domid);
    for (uint32_t i = 0; i < map->map.nr_entries && at < TRACED_ARGUMENTS; i++)
        at += (size_t)snprintf(text + at, TRACED_ARGUMENTS - at, " %" PRIx64 "+%" PRIx64 ":%u",
                               ranges[i].start, ranges[i].size, ranges[i].type);
}

void trace_(const char *format, ...)
{
    char line[512];
    va_list args;
    int error = errno;
    int n = snprintf(line, sizeof line, "%d %s ", getpid(), program_invocation_short_name);
    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - n, format, args);
    va_end(args);
    if (n > (int)sizeof line - 1)
        n = sizeof line - 1;
    line[n++] = '\n';
    ssize_t written = write(trace_fd, line, n);
    (void)written;
    errno = error;
}
