/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes of xenstore: values, lists, permissions, transactions, and events about changes. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH = 96, NAMES = 600 };

/* The path of a node that no other thread of the test uses. */
typedef struct node {
    char path[PATH];
} node;

static node new_node(void)
{
    node n;
    snprintf(n.path, sizeof(n.path), "/tool/test-%llu", (unsigned long long)new_user());
    return n;
}

static node child(const node *parent, const char *name)
{
    node n;
    snprintf(n.path, sizeof(n.path), "%.60s/%s", parent->path, name);
    return n;
}

static libxl_blob blob_of(const char *text)
{
    return (libxl_blob){.size = (uint32_t)strlen(text), .data = (uint8_t *)text};
}

static void put(scene *s, const node *n, const char *text)
{
    const libxl_blob value = blob_of(text);
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, n->path, &value, NULL, how)), 0);
}

static void drop(scene *s, const node *n)
{
    assert_int_equal(RUN(s, libxl_store_remove(s->ctx, n->path, how)), 0);
}

static void has(scene *s, const node *n, const char *text)
{
    libxl_blob value;
    assert_int_equal(RUN(s, libxl_store_read(s->ctx, n->path, &value, how)), 0);
    assert_string_equal((char *)value.data, text);
    libxl_blob_dispose(&value);
}

static void is_missing(scene *s, const node *n)
{
    libxl_blob value;
    assert_int_equal(RUN(s, libxl_store_read(s->ctx, n->path, &value, how)), ERROR_NOTFOUND);
}

/* ---- values */

static void a_value_may_have_any_octets(scene *s)
{
    node n = new_node();
    uint8_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    const libxl_blob given = {.size = sizeof(all), .data = all};
    libxl_blob value;
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, n.path, &given, NULL, how)), 0);
    assert_int_equal(RUN(s, libxl_store_read(s->ctx, n.path, &value, how)), 0);
    assert_int_equal(value.size, sizeof(all));
    assert_memory_equal(value.data, all, sizeof(all));
    assert_int_equal(value.data[sizeof(all)], 0);
    libxl_blob_dispose(&value);
    put(s, &n, "");
    has(s, &n, "");
    drop(s, &n);
    is_missing(s, &n);
    drop(s, &n); /* a missing node is not an error */
}

static void a_value_that_is_too_long_is_refused(scene *s)
{
    node n = new_node();
    char text[4097];
    memset(text, 'x', sizeof(text));
    const uint32_t room = 4096 - (uint32_t)strlen(n.path) - 1;
    libxl_blob value = {.size = room, .data = (uint8_t *)text};
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, n.path, &value, NULL, how)), 0);
    value.size++;
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, n.path, &value, NULL, how)), ERROR_INVAL);
    check_says(s, "value: ");
    value = (libxl_blob){.size = 1};
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, n.path, &value, NULL, how)), ERROR_INVAL);
    drop(s, &n);
}

static void a_missing_node_is_named(scene *s)
{
    node n = new_node();
    libxl_blob value;
    libxl_string_list names;
    libxl_store_permissions permissions;
    const libxl_store_permissions given = {.owner = 0};
    char said[PATH + 48];
    snprintf(said, sizeof(said), "path: there is no node '%s' (store_", n.path);
    assert_int_equal(RUN(s, libxl_store_read(s->ctx, n.path, &value, how)), ERROR_NOTFOUND);
    check_says(s, said);
    assert_int_equal(RUN(s, libxl_store_list(s->ctx, n.path, &names, how)), ERROR_NOTFOUND);
    check_says(s, said);
    assert_int_equal(RUN(s, libxl_store_get_permissions(s->ctx, n.path, &permissions, how)), ERROR_NOTFOUND);
    check_says(s, said);
    assert_int_equal(RUN(s, libxl_store_set_permissions(s->ctx, n.path, &given, how)), ERROR_NOTFOUND);
    check_says(s, n.path);
}

static void wrong_paths_are_refused(scene *s)
{
    char long_path[3100];
    memset(long_path, 'a', sizeof(long_path));
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    const struct {
        const char *path, *said;
    } cases[] = {
        {"", "path: '' is empty"},
        {"/a//b", "path: '/a//b' has an empty name between two slashes"},
        {"/a/", "path: '/a/' ends with a slash"},
        {"/a b", "path: '/a b' has a character that is no letter"},
        {"/\xc3\xa4", "' has a character that is no letter"},
        {"@releaseDomain", "path: '@releaseDomain' begins with '@', so it names no node"},
        {long_path, "...' is longer than 3071 octets"},
        {long_path + 1, "...' is longer than 2047 octets"},
    };
    libxl_blob value = blob_of("x");
    libxl_string_list names;
    libxl_store_permissions permissions = {.owner = 0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
#define REFUSED(call)                                                                                        \
    assert_int_equal(RUN(s, call), ERROR_INVAL);                                                             \
    check_says(s, cases[i].said)
        const char *path = cases[i].path;
        REFUSED(libxl_store_read(s->ctx, path, &value, how));
        value = blob_of("x");
        REFUSED(libxl_store_write(s->ctx, path, &value, NULL, how));
        REFUSED(libxl_store_list(s->ctx, path, &names, how));
        REFUSED(libxl_store_remove(s->ctx, path, how));
        REFUSED(libxl_store_set_permissions(s->ctx, path, &permissions, how));
        REFUSED(libxl_store_get_permissions(s->ctx, path, &permissions, how));
        libxl_store_step step = {.action = LIBXL_STORE_ACTION_REMOVE, .path = (char *)path};
        const libxl_store_steps steps = {.num_steps = 1, .steps = &step};
        assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), ERROR_INVAL);
        check_says(s, "steps.steps[0].path: ");
#undef REFUSED
    }
    assert_int_equal(RUN(s, libxl_store_remove(s->ctx, "/", how)), ERROR_INVAL);
    check_says(s, "xenstore: /: Invalid argument");
}

/* ---- lists */

static void make_children(scene *s, const node *parent)
{
    op *writes[NAMES];
    const libxl_blob value = blob_of("");
    for (int i = 0; i < NAMES; i++) {
        char name[24];
        snprintf(name, sizeof(name), "child-%04d", i);
        const node n = child(parent, name);
        writes[i] = START(s, libxl_store_write, s->ctx, n.path, &value, NULL, how);
    }
    for (int i = 0; i < NAMES; i++)
        assert_int_equal(op_result(writes[i]), 0);
}

static void a_list_may_be_longer_than_a_message(scene *s)
{
    node n = new_node();
    libxl_string_list names;
    make_children(s, &n);
    assert_int_equal(RUN(s, libxl_store_list(s->ctx, n.path, &names, how)), 0);
    assert_int_equal(libxl_string_list_length(&names), NAMES);
    assert_string_equal(names[0], "child-0000");
    assert_string_equal(names[NAMES - 1], "child-0599");

    /* A commit that checks names succeeds if they are the names of the node's children, and fails for any
     * other names. */
    libxl_store_step steps_of[2] = {
        {.action = LIBXL_STORE_ACTION_CHECK_NAMES, .path = n.path, .names = names},
        {.action = LIBXL_STORE_ACTION_REMOVE, .path = n.path},
    };
    const libxl_store_steps steps = {.num_steps = 2, .steps = steps_of};
    char *last = names[NAMES - 1];
    names[NAMES - 1] = NULL;
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), ERROR_CONFLICT);
    names[NAMES - 1] = last;
    steps_of[0].names = names + 1;
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), ERROR_CONFLICT);
    check_says(s, n.path);
    steps_of[0].names = names;
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), 0);
    libxl_string_list_dispose(&names);
    is_missing(s, &n);
}

static void a_node_without_children_has_an_empty_list(scene *s)
{
    node n = new_node();
    libxl_string_list names;
    put(s, &n, "");
    assert_int_equal(RUN(s, libxl_store_list(s->ctx, n.path, &names, how)), 0);
    assert_int_equal(libxl_string_list_length(&names), 0);
    libxl_string_list_dispose(&names);
    drop(s, &n);
}

/* ---- permissions */

static void check_permissions(scene *s, const node *n, const libxl_store_permissions *wanted)
{
    libxl_store_permissions found;
    assert_int_equal(RUN(s, libxl_store_get_permissions(s->ctx, n->path, &found, how)), 0);
    assert_int_equal(found.owner, wanted->owner);
    assert_int_equal(found.others, wanted->others);
    assert_int_equal(found.num_domains, wanted->num_domains);
    for (int i = 0; i < found.num_domains; i++) {
        assert_int_equal(found.domains[i].domid, wanted->domains[i].domid);
        assert_int_equal(found.domains[i].access, wanted->domains[i].access);
    }
    libxl_store_permissions_dispose(&found);
}

static void permissions_are_kept(scene *s)
{
    node n = new_node();
    const libxl_blob value = blob_of("x");
    libxl_store_permission further[] = {
        {.domid = 0, .access = LIBXL_STORE_ACCESS_READ},
        {.domid = 0, .access = LIBXL_STORE_ACCESS_READ | LIBXL_STORE_ACCESS_WRITE},
        {.domid = 0, .access = 0},
    };
    const libxl_store_permissions plain = {.owner = 0}, several = {.owner = 0,
                                                                   .others = LIBXL_STORE_ACCESS_WRITE,
                                                                   .num_domains = 3,
                                                                   .domains = further};
    put(s, &n, "");
    check_permissions(s, &n, &plain);
    assert_int_equal(RUN(s, libxl_store_set_permissions(s->ctx, n.path, &several, how)), 0);
    check_permissions(s, &n, &several);
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, n.path, &value, &plain, how)), 0);
    check_permissions(s, &n, &plain);
    has(s, &n, "x");
    drop(s, &n);
}

/* ---- transactions */

static void a_commit_changes_all_or_nothing(scene *s)
{
    node n = new_node(), a = child(&n, "a"), b = child(&n, "b");
    put(s, &a, "1");
    libxl_store_step steps_of[] = {
        {.action = LIBXL_STORE_ACTION_CHECK_VALUE, .path = a.path, .value = blob_of("1")},
        {.action = LIBXL_STORE_ACTION_CHECK_MISSING, .path = b.path},
        {.action = LIBXL_STORE_ACTION_WRITE, .path = a.path, .value = blob_of("2")},
        {.action = LIBXL_STORE_ACTION_WRITE, .path = b.path, .value = blob_of("3")},
        {.action = LIBXL_STORE_ACTION_SET_PERMISSIONS,
         .path = b.path,
         .permissions = {.others = LIBXL_STORE_ACCESS_READ}},
    };
    const libxl_store_steps steps = {.num_steps = 5, .steps = steps_of};
    const libxl_store_permissions readable = {.others = LIBXL_STORE_ACCESS_READ};
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), 0);
    has(s, &a, "2");
    has(s, &b, "3");
    check_permissions(s, &b, &readable);
    /* The first commit fails at the check of node `a`, the second at the check of node `b`. */
    steps_of[3].value = blob_of("4");
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), ERROR_CONFLICT);
    check_says(s, a.path);
    steps_of[0].value = blob_of("2");
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &steps, how)), ERROR_CONFLICT);
    check_says(s, b.path);
    has(s, &b, "3");
    /* A longer value that begins like the wanted one differs. */
    const libxl_blob longer = {.size = 3, .data = (uint8_t *)"2\0x"};
    assert_int_equal(RUN(s, libxl_store_write(s->ctx, a.path, &longer, NULL, how)), 0);
    const libxl_store_steps first = {.num_steps = 1, .steps = steps_of};
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &first, how)), ERROR_CONFLICT);
    drop(s, &n);
}

static void a_commit_without_steps_succeeds(scene *s)
{
    const libxl_store_steps none = {.num_steps = 0};
    assert_int_equal(RUN(s, libxl_store_commit(s->ctx, &none, how)), 0);
}

/* ---- events. These tests take the events themselves. */

static libxl_event *take(scene *s)
{
    libxl_event *event;
    assert_int_equal(libxl_event_wait_limit(s->ctx, &event, ~0ull, NULL, NULL, (int)scaled_ms(10000)), 0);
    return event;
}

static void expect_change(scene *s, const char *path, uint64_t user)
{
    libxl_event *event = take(s);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_STORE_CHANGED);
    assert_string_equal(event->u.store_changed.path, path);
    assert_int_equal(event->for_user, user);
    libxl_event_free(s->ctx, event);
}

/* Writes a node and waits until xenstored has sent its events. xenstored sends them before the answer to the
 * read. */
static void change(scene *s, const node *n)
{
    const libxl_blob value = blob_of("");
    libxl_blob read;
    assert_int_equal(libxl_store_write(s->ctx, n->path, &value, NULL, NULL), 0);
    assert_int_equal(libxl_store_read(s->ctx, n->path, &read, NULL), 0);
    libxl_blob_dispose(&read);
}

static uint32_t queued(scene *s)
{
    libxl_counters counters;
    libxl_ctx_counters(s->ctx, &counters);
    return counters.events;
}

static void wait_queued(scene *s, uint32_t count)
{
    for (const uint64_t end = now_ms() + scaled_ms(10000); queued(s) < count && now_ms() < end; sleep_ms(1))
        libxl_ctx_process(s->ctx);
    assert_int_equal(queued(s), count);
}

static void a_change_is_reported_once_until_it_is_taken(scene *s)
{
    node n = new_node(), below = child(&n, "below");
    libxl_evgen_store_watch *evgen;
    assert_int_equal(libxl_evenable_store_watch(s->ctx, n.path, 7, &evgen), 0);
    expect_change(s, n.path, 7);
    for (int i = 0; i < 5; i++)
        change(s, &below);
    wait_queued(s, 1);
    expect_change(s, below.path, 7);
    change(s, &below); /* The program has taken the event, so this change is reported. */
    expect_change(s, below.path, 7);
    assert_int_equal(libxl_store_remove(s->ctx, n.path, NULL), 0);
    wait_queued(s, 1);
    libxl_evdisable_store_watch(s->ctx, evgen);
    /* Events that have occurred before the generator was disabled are still delivered. */
    expect_change(s, n.path, 7);
    assert_int_equal(queued(s), 0);
}

static void pending_changes_are_bounded(scene *s)
{
    enum { TOO_MANY = 3 };
    node n = new_node();
    libxl_evgen_store_watch *evgen;
    libxl_event *event;
    char name[16];
    assert_int_equal(libxl_evenable_store_watch(s->ctx, n.path, 7, &evgen), 0);
    expect_change(s, n.path, 7);
    for (int i = 0; i < LIBXL_STORE_CHANGES_MAX + TOO_MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        const node below = child(&n, name);
        change(s, &below);
    }
    wait_queued(s, LIBXL_STORE_CHANGES_MAX + 1);
    for (int i = 0; i < LIBXL_STORE_CHANGES_MAX; i++) {
        event = take(s);
        assert_int_equal(event->type, LIBXL_EVENT_TYPE_STORE_CHANGED);
        libxl_event_free(s->ctx, event);
    }
    event = take(s);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_STORE_CHANGES_LOST);
    assert_int_equal(event->u.store_changes_lost.dropped, TOO_MANY);
    assert_int_equal(event->u.store_changes_lost.rc, 0);
    libxl_event_free(s->ctx, event);
    const node again = child(&n, "0");
    change(s, &again);
    expect_change(s, again.path, 7);
    libxl_evdisable_store_watch(s->ctx, evgen);
    assert_int_equal(libxl_store_remove(s->ctx, n.path, NULL), 0);
}

struct receiver {
    scene *s;
    int count;
};

static void occurs(void *user, libxl_event *event)
{
    struct receiver *receiver = user;
    receiver->count++;
    libxl_event_free(receiver->s->ctx, event);
}

/* A change that is delivered to the application's event receiver counts as taken. */
static void a_receiver_takes_changes(scene *s)
{
    node n = new_node();
    libxl_evgen_store_watch *evgen;
    struct receiver receiver = {.s = s};
    const libxl_event_hooks hooks = {.event_occurs_mask = ~0ull, .event_occurs = occurs};
    libxl_event_register_callbacks(s->ctx, &hooks, &receiver);
    assert_int_equal(libxl_evenable_store_watch(s->ctx, n.path, 7, &evgen), 0);
    for (int i = 0; i < 3; i++)
        change(s, &n);
    libxl_ctx_process(s->ctx);
    /* The receiver got the first event of the new watch, and the changes. */
    assert_in_range(receiver.count, 3, 4);
    libxl_evdisable_store_watch(s->ctx, evgen);
    libxl_event_register_callbacks(s->ctx, NULL, NULL);
    assert_int_equal(libxl_store_remove(s->ctx, n.path, NULL), 0);
}

static void a_change_names_its_domain(scene *s)
{
    const node n = {"/local/domain/0/test-of-events"};
    libxl_evgen_store_watch *evgen;
    assert_int_equal(libxl_evenable_store_watch(s->ctx, n.path, 7, &evgen), 0);
    libxl_event *event = take(s);
    assert_int_equal(event->domid, 0);
    libxl_event_free(s->ctx, event);
    libxl_evdisable_store_watch(s->ctx, evgen);
    assert_int_equal(libxl_evenable_store_watch(s->ctx, "@releaseDomain", 8, &evgen), 0);
    event = take(s);
    assert_int_equal(event->domid, LIBXL_DOMID_INVALID);
    assert_string_equal(event->u.store_changed.path, "@releaseDomain");
    libxl_event_free(s->ctx, event);
    libxl_evdisable_store_watch(s->ctx, evgen);
}

static void wrong_watches_are_refused(scene *s)
{
    libxl_evgen_store_watch *evgen = (void *)1;
    assert_int_equal(libxl_evenable_store_watch(s->ctx, "/a//b", 0, &evgen), ERROR_INVAL);
    assert_null(evgen);
    assert_string_equal(libxl_error_message(), "path: '/a//b' has an empty name between two slashes");
    assert_int_equal(libxl_evenable_store_watch(s->ctx, NULL, 0, &evgen), ERROR_INVAL);
    assert_int_equal(libxl_evenable_store_watch(s->ctx, "/a", 0, NULL), ERROR_INVAL);
    libxl_evdisable_store_watch(s->ctx, NULL);
    /* The path has the right form, but its length is above xenstored's quota. */
    char path[2200] = "/tool/";
    memset(path + 6, 'a', sizeof(path) - 7);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(libxl_evenable_store_watch(s->ctx, path, 7, &evgen), 0);
    libxl_event *event = take(s);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_STORE_CHANGES_LOST);
    assert_int_equal(event->u.store_changes_lost.rc, ERROR_INVAL);
    libxl_event_free(s->ctx, event);
    libxl_evdisable_store_watch(s->ctx, evgen);
}

/* A context that is freed frees its generators and the events that were not taken. */
static void a_context_frees_its_watches(scene *s)
{
    libxl_ctx *ctx = open_context();
    libxl_evgen_store_watch *evgen;
    libxl_blob value;
    for (int i = 0; i < 3; i++)
        assert_int_equal(libxl_evenable_store_watch(ctx, "/tool", 7, &evgen), 0);
    assert_int_equal(libxl_store_read(ctx, "/tool", &value, NULL), 0);
    libxl_blob_dispose(&value);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    (void)s;
}

static const body bodies[] = {
    BODY(a_value_may_have_any_octets),
    BODY(a_value_that_is_too_long_is_refused, SLOW),
    BODY(a_missing_node_is_named, SLOW),
    BODY(wrong_paths_are_refused, SLOW),
    BODY(a_list_may_be_longer_than_a_message, RUNS_ONCE),
    BODY(a_node_without_children_has_an_empty_list, SLOW),
    BODY(permissions_are_kept, SLOW),
    BODY(a_commit_changes_all_or_nothing),
    BODY(a_commit_without_steps_succeeds, SLOW),
    BODY(a_change_is_reported_once_until_it_is_taken, RUNS_ONCE),
    BODY(pending_changes_are_bounded, RUNS_ONCE),
    BODY(a_receiver_takes_changes, RUNS_ONCE),
    BODY(a_change_names_its_domain, RUNS_ONCE),
    BODY(wrong_watches_are_refused, RUNS_ONCE),
    BODY(a_context_frees_its_watches, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
