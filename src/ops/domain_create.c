/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the domain that it is making, until it completes with success: on any failure, abort or time limit
 * the domain is destroyed again, xenstore nodes and all, before the operation completes. The first error is
 * the one that is told.
 */
#include "ops.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum {
    LEAST_PV_KB = 4 << 10,
    LEAST_PVH_KB = 20 << 10, /* the builder puts tables and shared pages into it */
    CONSOLE_SECONDS = 10,
    LAST_MOMENT_SECONDS = 1, /* for xenconsoled, when the creation has been aborted */
    UNDO_SECONDS = 5,
    NAME_LENGTH = 255,
    LONGEST_PVH_CMDLINE = 65535, /* a kernel may take any; none takes as much */
};

#define MOST_KB (16ull << 30) /* 16 TiB: what the hypervisor can address */

struct create {
    libxl__name_search namesake;
    libxl__build build;
    libxl__xs_batch *introducing;
    libxl__await console;
    libxl__domain_source domain;
    libxl__nested teardown;
    libxl__alarm patience; /* once asked to stop */
    bool hurried;
    int rc; /* why it is being undone */
};

/* ---- what is asked for */

static int check_name(libxl__ao *ao, const char *name)
{
    if (!name || !*name)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.name: missing");
    if (strlen(name) > NAME_LENGTH)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.name: longer than %d octets", NAME_LENGTH);
    if (isdigit((unsigned char)*name) && strspn(name, "0123456789") == strlen(name))
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.name: '%s' would be taken for a domid", name);
    for (const char *c = name; *c; c++)
        if (*c == '/' || iscntrl((unsigned char)*c))
            return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.name: has a '/' or a control character");
    return 0;
}

static int check_path(libxl__ao *ao, const char *field, const char *path)
{
    if (!*path)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s: empty", field);
    if (strlen(path) >= PATH_MAX)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s: longer than %d octets", field,
                              PATH_MAX - 1);
    return 0;
}

/* What is longer would be cut in silence: by the builder for a PV guest, by the kernel for a PVH guest. */
static int check_cmdline(libxl__ao *ao, const libxl_domain_config *config)
{
    const char *cmdline = config->b_info.cmdline;
    const size_t most =
        config->c_info.type == LIBXL_DOMAIN_TYPE_PV ? MAX_GUEST_CMDLINE - 1 : LONGEST_PVH_CMDLINE;
    if (!cmdline || strlen(cmdline) <= most)
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.cmdline: longer than %zu octets", most);
}

static int check_memory(libxl__ao *ao, const libxl_domain_config *config, struct create *s)
{
    const libxl_domain_build_info *info = &config->b_info;
    const uint64_t least = config->c_info.type == LIBXL_DOMAIN_TYPE_PVH ? LEAST_PVH_KB : LEAST_PV_KB;
    uint64_t target = info->target_memkb ? info->target_memkb : info->max_memkb;
    uint64_t max = info->max_memkb ? info->max_memkb : target;
    const char *field = info->target_memkb ? "target_memkb" : "max_memkb";
    if (target < least || target > MOST_KB)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.%s: %llu KiB is not between %llu and %llu",
                              field, (unsigned long long)target, (unsigned long long)least,
                              (unsigned long long)MOST_KB);
    if (max < target || max > MOST_KB)
        return libxl__ao_fail(
            ao, ERROR_INVAL, "d_config.b_info.max_memkb: %llu KiB is not between %llu and %llu",
            (unsigned long long)max, (unsigned long long)target, (unsigned long long)MOST_KB);
    s->build.target_kb = target & ~1023ull; /* the builder counts in MiB */
    s->build.max_kb = max;
    return 0;
}

static int check(libxl__ao *ao, const libxl_domain_config *config, struct create *s)
{
    int rc = check_name(ao, config->c_info.name);
    if (rc)
        return rc;
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        return libxl__ao_fail(ao, ERROR_NI, "d_config.c_info.type: HVM is not implemented; PV and PVH are");
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_INVALID)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.type: missing");
    if (!config->b_info.kernel)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.kernel: missing");
    rc = check_path(ao, "kernel", config->b_info.kernel);
    if (!rc && config->b_info.ramdisk)
        rc = check_path(ao, "ramdisk", config->b_info.ramdisk);
    if (!rc)
        rc = check_cmdline(ao, config);
    return rc ? rc : check_memory(ao, config, s);
}

/* Another creation of this context that has got this name but not written it yet. */
static bool name_is_being_taken(const libxl__ao *ao, const char *name)
{
    const libxl__ao *other;
    TAILQ_FOREACH (other, &ao->ctx->aos.live, live_link) {
        const libxl__domain_create_new_args *args = (const void *)other->args;
        if (other != ao && other->cls == ao->cls && strcmp(args->in.d_config.c_info.name, name) == 0)
            return true;
    }
    return false;
}

static int name_exists(libxl__ao *ao, const char *name)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_EXISTS, "d_config.c_info.name: there is a domain '%s' already",
                          name);
}

/*
 * ---- the domain's tree in xenstore
 *
 * Each change costs xenstored a look at every domain, and setting permissions is a change: so they are set where they
 * differ from those of the node above, which a new node inherits, and there is no request for a node that comes into
 * being with one below it.
 */

/* A guest may read its tree. What it may write is made while all of it is the guest's, who is not yet there. */
static void write_guests_nodes(libxl__xs_batch *b, unsigned domid)
{
    static const char *const guests[] = {
        "control/shutdown",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/sysrq",
        "device/suspend/event-channel",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };
    static const char *const ours[] = {"", "/control", "/device", "/device/suspend"}; /* above those */
    libxl__xs_remove(b, "/local/domain/%u", domid); /* nothing is inherited from a forebear */
    libxl__xs_write(b, LIBXL__XS_GUESTS, "", "/local/domain/%u", domid);
    for (size_t i = 0; i < sizeof(guests) / sizeof(*guests); i++)
        libxl__xs_write(b, LIBXL__XS_INHERITS, "", "/local/domain/%u/%s", domid, guests[i]);
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        libxl__xs_permit(b, LIBXL__XS_GUEST_READS, "/local/domain/%u%s", domid, ours[i]);
}

static void write_domain(libxl__xs_batch *b, const struct create *s, const libxl_domain_config *config)
{
    const unsigned domid = s->build.domid;
    write_guests_nodes(b, domid);

#define NODE(value, path, ...)                                                                               \
    libxl__xs_write(b, LIBXL__XS_INHERITS, value, "/local/domain/%u/" path, domid, ##__VA_ARGS__)
#define NODE_OF(path, ...)                                                                                   \
    do {                                                                                                     \
        char text[64];                                                                                       \
        snprintf(text, sizeof(text), __VA_ARGS__);                                                           \
        NODE(text, path);                                                                                    \
    } while (0)
    NODE("1048576", "console/limit");
    NODE("xenconsoled", "console/type");
    NODE("pty", "console/output");
    NODE_OF("console/port", "%u", s->build.console_port);
    NODE_OF("console/ring-ref", "%lu", s->build.console_gfn);
    NODE(config->c_info.name, "name");
    NODE_OF("vm", "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(s->build.uuid));
    NODE_OF("domid", "%u", domid); /* after `vm`: whoever sees it knows whose tree this is */
    NODE_OF("memory/static-max", "%llu", (unsigned long long)s->build.max_kb);
    NODE_OF("memory/target", "%llu", (unsigned long long)s->build.target_kb);
    NODE_OF("store/port", "%u", s->build.store_port);
    NODE_OF("store/ring-ref", "%lu", s->build.store_gfn);
    NODE("1", "control/platform-feature-multiprocessor-suspend");
    NODE("1", "control/platform-feature-xs_reset_watches");
    for (int i = 0; i < config->b_info.max_vcpus; i++)
        NODE("online", "cpu/%d/availability", i);
#undef NODE_OF
#undef NODE
}

/* What other toolstacks look for. */
static void write_vm(libxl__xs_batch *b, const struct create *s, const libxl_domain_config *config)
{
    char vm[64], uuid[LIBXL_UUID_FMTLEN + 1];
    const unsigned domid = s->build.domid;
    snprintf(uuid, sizeof(uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(s->build.uuid));
    snprintf(vm, sizeof(vm), "/vm/%s", uuid);
    libxl__xs_write(b, LIBXL__XS_GUEST_READS, "", "%s", vm);
    /* What a forebear with this uuid has left would keep its permissions; another may live, so nothing is removed. */
    libxl__xs_write(b, LIBXL__XS_GUEST_READS, uuid, "%s/uuid", vm);
    libxl__xs_write(b, LIBXL__XS_GUEST_READS, config->c_info.name, "%s/name", vm);
    libxl__xs_remove(b, "/libxl/%u", domid);
    libxl__xs_write(b, LIBXL__XS_INHERITS, config->c_info.type == LIBXL_DOMAIN_TYPE_PV ? "pv" : "pvh",
                    "/libxl/%u/type", domid);
}

static int introduce(libxl__ao *ao, struct create *s, const libxl_domain_config *config)
{
    s->introducing = libxl__xs_batch_new(ao, s->build.domid);
    if (!s->introducing)
        return ERROR_NOMEM;
    write_domain(s->introducing, s, config);
    write_vm(s->introducing, s, config);
    libxl__xs_introduce(s->introducing, s->build.store_gfn, s->build.store_port);
    return libxl__xs_run(s->introducing, LIBXL__XS_ONE_BY_ONE);
}

/* ---- its console, which xenconsoled serves when it has written the terminal's name */

static int await_console(libxl__ao *ao, struct create *s)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", s->build.domid);
    return libxl__await_start(ao, &s->console, path, libxl__await_present, NULL,
                              LIBXL__SECONDS(CONSOLE_SECONDS));
}

/* ---- the operation */

enum { START, NAMED, BUILT, INTRODUCED, CONSOLE, UNDOING };

/* Asked to stop, it waits for xenstored and for the domain's end, but not for ever: the teardown goes on by itself.
 * Without memory for that it is only less in haste. */
static void be_patient(libxl__ao *ao, struct create *s)
{
    libxl__alarm_set(ao, &s->patience, LIBXL__SECONDS(UNDO_SECONDS));
}

/* Puts everything back, then says rc: the first step of that. */
static int undo(libxl__ao *ao, struct create *s, int rc)
{
    if (!s->build.made)
        return rc;
    s->rc = rc;
    libxl__source_stop(ao->ctx, &s->patience.source); /* the undoing has a patience of its own */
    s->patience.rang = false;
    libxl__xs_batch_free(s->introducing); /* what it has sent is answered before the teardown's requests */
    s->introducing = NULL;
    ao->step = UNDOING;
    if (ao->stop)
        be_patient(ao, s);
    return libxl__teardown_start(ao, &s->teardown, s->build.domid, &s->build.uuid) ? rc : LIBXL__AO_WAIT;
}

/* Once it is made: somebody else may destroy it. */
static int follow(libxl__ao *ao, struct create *s)
{
    xc_domaininfo_t info;
    ao->subject.number = s->build.domid;
    int rc = libxl__hv_info(ao, s->build.domid, &info);
    return rc ? rc : libxl__domain_source_start(ao, &s->domain, &info);
}

/* There was no memory to wait for xenconsoled's answer, without which nothing can be put back: as if asked to
 * stop, it is tried again. */
static int once_more(libxl__ao *ao, int rc)
{
    return libxl__ao_request_stop(ao, rc) ? ao->stop : LIBXL__AO_WAIT;
}

static int forward(libxl__ao *ao, struct create *s, libxl__domain_create_new_args *args)
{
    const libxl_domain_config *config = &args->in.d_config;
    uint32_t namesake;
    int rc;
    switch (ao->step) {
    case START:
        rc = check(ao, config, s);
        if (!rc && name_is_being_taken(ao, config->c_info.name))
            rc = name_exists(ao, config->c_info.name);
        if (!rc)
            rc = libxl__name_search_start(ao, &s->namesake, config->c_info.name, true);
        ao->step = NAMED;
        return rc ? rc : LIBXL__AO_WAIT;

    case NAMED:
        rc = libxl__name_search_step(ao, &s->namesake, &namesake);
        if (!rc && namesake != LIBXL_DOMID_INVALID)
            rc = name_exists(ao, config->c_info.name);
        if (rc)
            return rc;
        s->build.config = config;
        s->build.uuid = config->c_info.uuid;
        if (libxl_uuid_is_nil(&s->build.uuid))
            libxl_uuid_generate(&s->build.uuid);
        rc = libxl__build_start(ao, &s->build);
        ao->step = BUILT;
        return rc ? rc : LIBXL__AO_WAIT;

    case BUILT:
        if (!libxl__build_done(&s->build))
            return LIBXL__AO_WAIT;
        rc = s->build.rc
                 ? libxl__ao_fail(ao, s->build.rc, "%s", s->build.message ? s->build.message : "building")
                 : follow(ao, s);
        if (!rc)
            rc = introduce(ao, s, config);
        ao->step = INTRODUCED;
        return rc ? rc : LIBXL__AO_WAIT;

    case INTRODUCED:
        if (!libxl__xs_done(s->introducing))
            return LIBXL__AO_WAIT;
        rc = libxl__xs_result(s->introducing);
        if (rc)
            return rc;
        rc = await_console(ao, s);
        if (rc)
            return once_more(ao, rc);
        ao->step = CONSOLE;
        return LIBXL__AO_WAIT;

    case CONSOLE:
        if (s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
            return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u was destroyed while it was made",
                                  s->build.domid);
        if (ao->stop && !s->hurried) {
            s->hurried = true;
            libxl__await_limit(ao, &s->console, LIBXL__SECONDS(LAST_MOMENT_SECONDS));
        }
        rc = libxl__await_step(ao, &s->console);
        if (ao->stop && rc != LIBXL__AO_WAIT)
            return ao->stop;
        if (rc == ERROR_TIMEDOUT)
            return ERROR_NO_CONSOLE;
        if (rc == ERROR_NOMEM) {
            libxl__await_look(&s->console);
            return once_more(ao, rc);
        }
        if (rc)
            return rc;
        libxl__ao_progress(ao, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
        *args->out.domid = s->build.domid;
        return 0;
    }
    return ERROR_BADFAIL;
}

int libxl__domain_create_new_body(libxl__ao *ao, libxl__domain_create_new_args *args)
{
    struct create *s = libxl__ao_state(ao, sizeof(*s));
    if (!s)
        return ERROR_NOMEM;
    libxl__ao_unwinds(ao);
    if (ao->stop && ao->step >= INTRODUCED && !s->patience.source.ao)
        be_patient(ao, s);
    if (ao->step == UNDOING)
        return s->teardown.done || s->patience.rang ? s->rc : LIBXL__AO_WAIT;
    /* A build that is under way is not left alone with the operation's memory: it is told, and its end
     * awaited. */
    if (ao->stop && ao->step == BUILT && !libxl__build_done(&s->build)) {
        atomic_store(&s->build.cancel, true);
        return LIBXL__AO_WAIT;
    }
    /* What xenconsoled writes after the teardown would stay for ever: once it has been told of the domain,
     * its answer is awaited. */
    if (ao->stop && ((ao->step != INTRODUCED && ao->step != CONSOLE) || s->patience.rang))
        return undo(ao, s, ao->stop);
    int rc = forward(ao, s, args);
    return rc < 0 ? undo(ao, s, rc) : rc;
}
