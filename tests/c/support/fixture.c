/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: one handle to xenstored and one handle to the hypervisor. A program opens the handles once and never
 * closes them. The fixture reads xenstore, the hypervisor and /proc/self itself. It does not use the library
 * under test. Any thread may use the handles.
 */
#include "harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

enum { TIME_LIMIT_MS = 2000, MOST_DOMAINS = 64 };

static struct xs_handle *xs;
static xc_interface *xch;

static int count_entries(const char *directory, const char *prefix)
{
    int count = 0;
    DIR *dir = opendir(directory);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    if (dir)
        closedir(dir);
    return count;
}

int fixture_entries(const char *directory)
{
    return count_entries(directory, "");
}

static int nodes_below(const char *path)
{
    unsigned count = 0;
    free(xs_directory(xs, XBT_NULL, path, &count));
    return (int)count;
}

/* Returns the number of the children of /libxl, /libxl/pci and /libxl/usbback in xenstore. Does not count the
 * nodes /libxl/pci and /libxl/usbback themselves, because they stay when they are empty. */
static int toolstack_nodes(void)
{
    unsigned length;
    char *pci = xs_read(xs, XBT_NULL, "/libxl/pci", &length);
    char *usbback = xs_read(xs, XBT_NULL, "/libxl/usbback", &length);
    const int count = nodes_below("/libxl") - (pci != NULL) - (usbback != NULL) + nodes_below("/libxl/pci") +
                      nodes_below("/libxl/usbback");
    free(pci);
    free(usbback);
    return count;
}

/* Returns the number of marks of unfinished domains (src/xen/marks.h). Does not count the nodes of the groups
 * of marks, because they stay when they are empty. */
static int count_marks(void)
{
    static const char top[] = "/tool/aioxen/unfinished";
    char path[64];
    unsigned count = 0;
    int marks = 0;
    char **groups = xs_directory(xs, XBT_NULL, top, &count);
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", top, groups[i]);
        marks += nodes_below(path);
    }
    free(groups);
    return marks;
}

void fixture_check_connection(void)
{
    unsigned length;
    char *root = xs ? xs_read(xs, XBT_NULL, "/", &length) : NULL;
    if (!root) {
        if (xs)
            xs_close(xs);
        xs = xs_open(0);
    }
    free(root);
}

static void look_at_world(struct fixture *f)
{
    fixture_check_connection();
    if (!xch)
        xch = xc_interface_open(NULL, NULL, 0);
    f->has_world = xs && xch;
    f->domains = f->nodes = f->files = 0;
    if (!f->has_world)
        return;
    unsigned count = 0;
    char **names = xs_directory(xs, XBT_NULL, "/local/domain", &count);
    for (unsigned i = 0; i < count && f->domains < MOST_DOMAINS; i++)
        f->domids[f->domains++] = (libxl_domid)strtoul(names[i], NULL, 10);
    free(names);
    f->nodes = nodes_below("/vm") + toolstack_nodes() + count_marks();
    f->files = count_entries("/var/lib/xen", "userdata-");
}

char *fixture_node(const char *path)
{
    unsigned length;
    return xs_read(xs, XBT_NULL, path, &length);
}

void fixture_write(const char *path, const char *value)
{
    bool written =
        value ? xs_write(xs, XBT_NULL, path, value, (unsigned)strlen(value)) : xs_rm(xs, XBT_NULL, path);
    if (!written)
        fail_msg("%s: cannot be written", path);
}

void fixture_remove_files(libxl_domid domid, const libxl_uuid *uuid)
{
    char path[128];
    snprintf(path, sizeof(path), "/var/lib/xen/userdata-d.%u." LIBXL_UUID_FMT ".libxl-json", domid,
             LIBXL_UUID_BYTES(*uuid));
    unlink(path);
}

void fixture_remove_nodes(libxl_domid domid, const libxl_uuid *uuid)
{
    char path[64];
    fixture_remove_files(domid, uuid);
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    fixture_write(path, NULL);
    snprintf(path, sizeof(path), "/libxl/%u", domid);
    fixture_write(path, NULL);
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
    fixture_write(path, NULL);
}

char *fixture_perms(const char *path)
{
    static const char letters[] = {'n', 'r', 'w', 'b'};
    _Static_assert(XS_PERM_READ == 1 && XS_PERM_WRITE == 2, "letters[] is indexed by these values");
    char *text = NULL;
    unsigned count = 0;
    struct xs_permissions *perms = xs_get_permissions(xs, XBT_NULL, path, &count);
    for (unsigned i = 0; i < count; i++) {
        char *before = text;
        if (asprintf(&text, "%s%s%c%u", before ? before : "", before ? "," : "", letters[perms[i].perms & 3],
                     perms[i].id) < 0)
            fail_msg("%s: out of memory", path);
        free(before);
    }
    free(perms);
    return text;
}

void fixture_begin(struct fixture *before)
{
    look_at_world(before);
    before->descriptors = fixture_entries("/proc/self/fd");
    before->threads = fixture_entries("/proc/self/task");
}

static void check_count(const char *what, const char *directory, int before)
{
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS);
         fixture_entries(directory) != before && now_ms() < end;)
        sleep_ms(5);
    if (fixture_entries(directory) != before)
        fail_msg("there were %d %s before the test and %d after it", before, what,
                 fixture_entries(directory));
}

/* Stores the hypervisor's domains in `list`. Returns the number of domains. */
static int domains(xc_domaininfo_t list[MOST_DOMAINS])
{
    int count = xc_domain_getinfolist(xch, 0, MOST_DOMAINS, list);
    return count < 0 ? 0 : count;
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
    if (now.files != before->files)
        fail_msg("/var/lib/xen has %d files of domains; before the test %d", now.files, before->files);
    xc_domaininfo_t list[MOST_DOMAINS];
    for (int i = domains(list) - 1; i >= 0; i--)
        if (is_new(before, list[i].domain))
            fail_msg("domain %u still exists", (unsigned)list[i].domain);
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
    libxl_ctx *ctx;
    xc_domaininfo_t list[MOST_DOMAINS];
    struct fixture now;
    look_at_world(&now);
    if (!now.has_world || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL))
        return;
    for (int i = domains(list) - 1; i >= 0; i--)
        if (is_new(before, list[i].domain))
            libxl_domain_destroy(ctx, list[i].domain, NULL);
    libxl_ctx_free(ctx);
}

void fixture_check_counters(libxl_ctx *ctx)
{
    libxl_counters now;
    libxl_ctx_counters(ctx, &now);
    /* A job that an operation has detached may still run on a worker for a moment. */
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); now.jobs && now_ms() < end;
         libxl_ctx_counters(ctx, &now))
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

/* ---- nodes of a domain */

/* The caller frees the path. */
__attribute__((format(printf, 1, 0))) static char *path_of(const char *format, libxl_domid domid)
{
    char *path;
    assert_true(asprintf(&path, format, domid) >= 0);
    return path;
}

static void check_text(char *path, char *text, const char *wanted)
{
    if (!text || strcmp(text, wanted) != 0)
        fail_msg("%s: '%s', and not '%s'", path, text ? text : "(missing)", wanted);
    free(text);
    free(path);
}

bool fixture_has(const char *format, libxl_domid domid)
{
    char *path = path_of(format, domid), *value = fixture_node(path);
    free(value);
    free(path);
    return value;
}

void fixture_check_value(libxl_domid domid, const char *format, const char *wanted)
{
    char *path = path_of(format, domid);
    check_text(path, fixture_node(path), wanted);
}

void fixture_check_perms(libxl_domid domid, const char *format, const char *format_of_perms)
{
    char *path = path_of(format, domid), *wanted = path_of(format_of_perms, domid);
    check_text(path, fixture_perms(path), wanted);
    free(wanted);
}
