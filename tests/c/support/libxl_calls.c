/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program written for libxl. It includes libxl's headers, and no header that only aioxen has. tests/libxl
 * compiles the program for each LIBXL_API_VERSION, once against Debian's headers and once against aioxen's.
 * tests/c/libxl_client runs the program.
 */
#include <stdlib.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>
#include <libxl_uuid.h>

#include "libxl_calls.h"

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
#define ON_DOMAIN(function, ctx, domid) function(ctx, domid)
#else
#define ON_DOMAIN(function, ctx, domid) function(ctx, domid, NULL)
#endif

enum { NOBODY = 0x7000 };

/* ---- types */

static const char *calls_of_structs(libxl_ctx *ctx)
{
    CALLS_OF_STRUCT(dominfo);
    CALLS_OF_STRUCT(physinfo);
    CALLS_OF_STRUCT(version_info);
    return NULL;
}

static const char *calls_of_event(libxl_ctx *ctx)
{
    libxl_event event, copy;
    libxl_event_init(&event);
    libxl_event_init_type(&event, LIBXL_EVENT_TYPE_DISK_EJECT);
    event.u.disk_eject.vdev = strdup("xvda");
    libxl_event_copy(ctx, &copy, &event);
    CHECK(copy.u.disk_eject.vdev != event.u.disk_eject.vdev);
    CHECK(!strcmp(copy.u.disk_eject.vdev, "xvda"));
    char *json = libxl_event_to_json(ctx, &event);
    CHECK(json);
    libxl_event_dispose(&copy);
    CHECK(!libxl_event_from_json(ctx, &copy, json));
    CHECK(copy.type == LIBXL_EVENT_TYPE_DISK_EJECT);
    libxl_event_dispose(&copy);
    libxl_event_dispose(&event);
    free(json);
    return NULL;
}

static const char *calls_of_enumerations(void)
{
    libxl_domain_type type;
    libxl_shutdown_reason reason;
    libxl_event_type event;
    CHECK(!libxl_domain_type_from_string("pvh", &type) && type == LIBXL_DOMAIN_TYPE_PVH);
    CHECK(!strcmp(libxl_domain_type_to_string(type), "pvh"));
    CHECK(!libxl_shutdown_reason_from_string("crash", &reason) && reason == LIBXL_SHUTDOWN_REASON_CRASH);
    CHECK(!strcmp(libxl_shutdown_reason_to_string(reason), "crash"));
    CHECK(!libxl_event_type_from_string("disk_eject", &event) && event == LIBXL_EVENT_TYPE_DISK_EJECT);
    CHECK(!strcmp(libxl_event_type_to_string(event), "disk_eject"));
    return NULL;
}

static const char *calls_of_uuid(libxl_ctx *ctx)
{
    libxl_uuid uuid, other;
    libxl_uuid_generate(&uuid);
    CHECK(!libxl_uuid_is_nil(&uuid));
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040500
    (void)ctx;
    libxl_uuid_copy(&other, &uuid);
#else
    libxl_uuid_copy(ctx, &other, &uuid);
#endif
    CHECK(!libxl_uuid_compare(&uuid, &other));
    CHECK(!memcmp(libxl_uuid_bytearray(&uuid), libxl_uuid_bytearray_const(&other), sizeof(uuid)));
    libxl_uuid_clear(&other);
    CHECK(libxl_uuid_is_nil(&other));
    CHECK(!libxl_uuid_from_string(&other, "00112233-4455-6677-8899-aabbccddeeff"));
    CHECK(libxl_uuid_bytearray(&other)[15] == 0xff);
    return NULL;
}

/* ---- queries */

static const char *queries(libxl_ctx *ctx, uint32_t domid)
{
    int count;
    libxl_dominfo info;
    libxl_physinfo host;
    libxl_dominfo_init(&info);
    libxl_physinfo_init(&host);
    CHECK(!libxl_domain_info(ctx, &info, domid) && info.domid == domid);
    CHECK(!libxl_domain_info(ctx, NULL, domid));
    CHECK(libxl_domain_info(ctx, NULL, NOBODY) == ERROR_DOMAIN_NOTFOUND);
    libxl_dominfo *list = libxl_list_domain(ctx, &count);
    CHECK(list && count >= 2 && list[0].domid == 0);
    libxl_dominfo_list_free(list, count);
    CHECK(!libxl_get_physinfo(ctx, &host) && host.nr_cpus);
    CHECK(libxl_get_version_info(ctx)->xen_version_major == 4);
    libxl_dominfo_dispose(&info);
    libxl_physinfo_dispose(&host);

    uint32_t found = NOBODY;
    char *name = libxl_domid_to_name(ctx, domid);
    CHECK(name && !libxl_name_to_domid(ctx, name, &found) && found == domid);
    CHECK(libxl_name_to_domid(ctx, "nobody", &found) == ERROR_INVAL && found == domid);
    CHECK(!libxl_domid_to_name(ctx, NOBODY));
    free(name);
    return NULL;
}

/* ---- events and loops */

static int is_complete(const libxl_event *event, void *user)
{
    return event->for_user == *(uint64_t *)user;
}

static const char *events(libxl_ctx *ctx, uint32_t domid)
{
    uint64_t user = 7;
    libxl_event *event;
    libxl_evgen_domain_death *death;
    libxl_evgen_disk_eject *eject;
    libxl_asyncop_how how = {.u = {.for_event = user}};
    CHECK(libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == ERROR_NOT_READY);
    CHECK(!libxl_evenable_domain_death(ctx, domid, 1, &death));
    CHECK(!libxl_evenable_disk_eject(ctx, domid, "xvda", 2, &eject));
    libxl_evdisable_disk_eject(ctx, eject);
    libxl_evdisable_domain_death(ctx, death);
    CHECK(libxl_ao_abort(ctx, &how) == ERROR_NOTFOUND);
    CHECK(!libxl_domain_destroy(ctx, domid, &how));
    CHECK(!libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, is_complete, &user));
    CHECK(event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && !event->u.operation_complete.rc);
    libxl_event_free(ctx, event);
    CHECK(!libxl_device_events_handler(ctx, &how)); /* The operation ends only when it is aborted. */
    CHECK(!libxl_ao_abort(ctx, &how));
    CHECK(!libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, is_complete, &user));
    CHECK(event->u.operation_complete.rc == ERROR_ABORTED);
    libxl_event_free(ctx, event);
    return NULL;
}

static const char *loop(libxl_ctx *ctx)
{
    struct timeval now = {0, 0};
    struct pollfd fds[8];
    int timeout = -1, count = 0;
    CHECK(libxl_osevent_beforepoll(ctx, &count, NULL, &timeout, now) == ERROR_BUFFERFULL && count > 0);
    CHECK(count <= 8 && !libxl_osevent_beforepoll(ctx, &count, fds, &timeout, now));
    CHECK(poll(fds, (nfds_t)count, 0) >= 0);
    libxl_osevent_afterpoll(ctx, count, fds, now);
    return NULL;
}

static void occurs(void *user,
#ifndef LIBXL_HAVE_NONCONST_EVENT_OCCURS_EVENT_ARG
                   const
#endif
                   libxl_event *event)
{
    (void)user, (void)event;
}

static void disaster(void *user, libxl_event_type type, const char *msg, int errnoval)
{
    (void)user, (void)type, (void)msg, (void)errnoval;
}

static const libxl_event_hooks event_hooks = {
    .event_occurs_mask = 0, .event_occurs = occurs, .disaster = disaster};
static const libxl_childproc_hooks childproc_hooks = {.chldowner = libxl_sigchld_owner_mainloop};

/* Opens a context, sets the context's hooks and closes the context. Starts no operation. Returns NULL, or
 * the condition that did not hold. */
static const char *contexts(void)
{
    libxl_ctx *ctx = NULL;
    CHECK(!libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL));
    libxl_event_register_callbacks(ctx, &event_hooks, NULL);
    libxl_childproc_setmode(ctx, &childproc_hooks, NULL);
    CHECK(libxl_childproc_reaped(ctx, getpid(), 0) == ERROR_UNKNOWN_CHILD);
    libxl_childproc_sigchld_occurred(ctx);
    libxl_childproc_setmode(ctx, NULL, NULL);
    CHECK(!libxl_ctx_free(ctx));
    CHECK(!libxl_ctx_free(NULL));
    return NULL;
}

/*
 * The calls of a program with an event library, and of a program that forks. This function is compiled and
 * never called. Its calls need an event loop and a child process.
 */
void libxl_calls_of_others(libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *for_libxl);
void libxl_calls_of_others(libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *for_libxl)
{
    libxl_osevent_register_hooks(ctx, hooks, NULL);
    libxl_osevent_occurred_fd(ctx, for_libxl, 3, POLLIN, POLLIN);
    libxl_osevent_occurred_timeout(ctx, for_libxl);
    libxl_postfork_child_noexec(ctx);
}

/* ---- operations */

static void on_console(libxl_ctx *ctx, libxl_event *event, void *for_callback)
{
    (void)for_callback;
    libxl_event_free(ctx, event);
}

static const char *operations(libxl_ctx *ctx, uint32_t domid)
{
    libxl_domain_config config;
    const libxl_asyncprogress_how console = {on_console, 1, &config};
    uint32_t created = NOBODY;
    CHECK(!ON_DOMAIN(libxl_domain_pause, ctx, domid));
    CHECK(!ON_DOMAIN(libxl_domain_unpause, ctx, domid));
    CHECK(ON_DOMAIN(libxl_domain_shutdown, ctx, NOBODY));
    CHECK(ON_DOMAIN(libxl_domain_reboot, ctx, NOBODY));
    CHECK(libxl_domain_destroy(ctx, NOBODY, NULL) == ERROR_DOMAIN_NOTFOUND);
    libxl_domain_config_init(&config);
    /* The creation fails, because the configuration has no name and no type. */
    CHECK(libxl_domain_create_new(ctx, &config, &created, NULL, &console));
    CHECK(libxl_domain_soft_reset(ctx, &config, NOBODY, NULL, &console));
    libxl_domain_config_dispose(&config);
    return NULL;
}

const char *libxl_calls(libxl_ctx *ctx, uint32_t domid)
{
    const char *(*const of_types[])(libxl_ctx *) = {
        calls_of_structs,
        calls_of_event,
        calls_of_uuid,
        loop,
    };
    const char *failed = calls_of_enumerations();
    for (size_t i = 0; !failed && i < sizeof(of_types) / sizeof(of_types[0]); i++)
        failed = of_types[i](ctx);
    if (!failed)
        failed = queries(ctx, domid);
    if (!failed)
        failed = operations(ctx, domid);
    if (!failed)
        failed = events(ctx, domid);
    return failed ? failed : contexts();
}
