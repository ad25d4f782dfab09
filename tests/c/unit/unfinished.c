/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unfinished domains: which of them the library lists, and which other domains and nodes their removal leaves unchanged. */
#include "core.h"
#include "replace.h"
#include "simulation.h"

#include "marks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void path_of(const libxl_uuid *uuid, char path[LIBXL__MARK_PATH])
{
    snprintf(path, LIBXL__MARK_PATH, LIBXL__MARKS "/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
}

/* Writes a mark as this process would. */
static void mark(scene *s, const libxl_uuid *uuid, bool given_up)
{
    char path[LIBXL__MARK_PATH], text[LIBXL__MARK_TEXT];
    libxl__ctx_lock(s->ctx);
    libxl__mark_text(s->ctx, given_up, text);
    libxl__ctx_unlock(s->ctx);
    path_of(uuid, path);
    fixture_write(path, text);
}

static bool has_mark(const libxl_uuid *uuid)
{
    char path[LIBXL__MARK_PATH];
    path_of(uuid, path);
    char *text = fixture_node(path);
    free(text);
    return text != NULL;
}

/* Stores the domid that is listed for this UUID. Returns false if the UUID is not listed. */
static bool is_listed(scene *s, const libxl_uuid *uuid, libxl_domid *domid)
{
    libxl_unfinished_list list;
    bool found = false;
    assert_int_equal(RUN(s, libxl_domain_list_unfinished(s->ctx, &list, how)), 0);
    for (int i = 0; i < list.num_domains; i++)
        if (libxl_uuid_compare(&list.domains[i].uuid, uuid) == 0) {
            found = true;
            *domid = list.domains[i].domid;
            assert_in_range(list.domains[i].age_ms, 0, 600000);
        }
    libxl_unfinished_list_dispose(&list);
    return found;
}

static int remove_it(scene *s, const libxl_uuid *uuid)
{
    return RUN(s, libxl_domain_remove_unfinished(s->ctx, uuid, how));
}

/* A process is killed while it waits for xenconsoled. */
static void the_domain_of_a_killed_process_is_listed_and_removed(scene *s)
{
    libxl_domid domid;
    libxl_domid before = guest(s, "b", false);
    libxl_domain_config config = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    const libxl_uuid uuid = config.c_info.uuid;
    simulate("xenconsoled stop");
    const pid_t child = fork();
    if (!child) {
        libxl_ctx *ctx;
        libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        libxl_domain_create_new(ctx, &config, &domid, NULL, NULL);
        _exit(0);
    }
    char *ring = NULL;
    for (uint64_t end = now_ms() + scaled_ms(5000); !ring && now_ms() < end; sleep_ms(1))
        ring = guest_node(before + 1, "store/ring-ref");
    assert_non_null(ring);
    free(ring);
    assert_false(is_listed(s, &uuid, &domid)); /* the domain is being created */
    assert_int_equal(remove_it(s, &uuid), ERROR_NOTFOUND);
    assert_non_null(strstr(last_message(s), "is creating"));
    kill(child, SIGKILL);
    while (!is_listed(s, &uuid, &domid)) /* the domain is listed even while the process is a zombie */
        sleep_ms(1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(domid, before + 1);
    simulate("xenconsoled cont");
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(has_mark(&uuid));
    assert_false(domain_exists(before + 1, &uuid));
    assert_int_equal(remove_it(s, &uuid), ERROR_NOTFOUND);
    assert_non_null(strstr(last_message(s), "uuid: no creation"));
    libxl_domain_config_dispose(&config);
    destroy(s, before);
}

/* Only the mark was written. */
static void a_mark_without_a_domain_is_listed_and_removed(scene *s)
{
    libxl_domid domid;
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    mark(s, &uuid, true);
    assert_true(is_listed(s, &uuid, &domid));
    assert_int_equal(domid, LIBXL_DOMID_INVALID);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(has_mark(&uuid));
}

/* The domain exists, and none of its nodes was written yet. */
static void a_domain_without_nodes_is_removed(scene *s)
{
    libxl_domid domid, found;
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    domid = add_domain(&uuid);
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    fixture_write(path, NULL);
    mark(s, &uuid, true);
    assert_true(is_listed(s, &uuid, &found));
    assert_int_equal(found, domid);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(domain_exists(domid, &uuid));
}

/* Another toolstack has used the UUID since. */
static void a_domain_of_another_toolstack_is_left_alone(scene *s)
{
    libxl_domid domid, found;
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    domid = add_domain(&uuid);
    mark(s, &uuid, true);
    assert_true(is_listed(s, &uuid, &found));
    assert_int_equal(found, LIBXL_DOMID_INVALID);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(has_mark(&uuid));
    assert_true(domain_exists(domid, &uuid));
    char *node = guest_node(domid, "domid");
    assert_non_null(node);
    free(node);
    destroy(s, domid);
}

/* The library cannot examine a process of another boot or of another namespace. It ignores nodes that are not marks. */
static void marks_of_elsewhere_are_left_alone(scene *s)
{
    static const char *const texts[] = {"4194303 1 elsewhere/1 5", "", "nonsense", "-1 2 3 4", "0 0 0 0"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char path[LIBXL__MARK_PATH];
        libxl_domid domid;
        libxl_uuid uuid;
        libxl_uuid_generate(&uuid);
        path_of(&uuid, path);
        fixture_write(path, texts[i]);
        assert_false(is_listed(s, &uuid, &domid));
        assert_int_equal(remove_it(s, &uuid), ERROR_NOTFOUND);
        assert_true(has_mark(&uuid));
        fixture_write(path, NULL);
    }
}

/* The names of the marks do not fit into one message of xenstored. */
static void many_marks_are_listed(scene *s)
{
    enum { MARKS = 300 };
    libxl_unfinished_list list;
    libxl_uuid uuids[MARKS];
    for (int i = 0; i < MARKS; i++) {
        libxl_uuid_generate(&uuids[i]);
        mark(s, &uuids[i], true);
    }
    assert_int_equal(RUN(s, libxl_domain_list_unfinished(s->ctx, &list, how)), 0);
    assert_int_equal(list.num_domains, MARKS);
    for (int i = 1; i < MARKS; i++)
        assert_true(libxl_uuid_compare(&list.domains[i - 1].uuid, &list.domains[i].uuid) < 0);
    libxl_unfinished_list_dispose(&list);
    for (int i = 0; i < MARKS; i++)
        assert_int_equal(remove_it(s, &uuids[i]), 0);
    assert_int_equal(RUN(s, libxl_domain_list_unfinished(s->ctx, &list, how)), 0);
    assert_int_equal(list.num_domains, 0);
    libxl_unfinished_list_dispose(&list);
}

static void a_complete_domain_has_no_mark(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", false);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_false(has_mark(&info.uuid));
    destroy(s, domid);
}

/* The context is freed while the hypervisor refuses to destroy the domain. The process goes on. */
static void a_domain_that_was_given_up_is_listed(scene *s)
{
    libxl_ctx *ctx;
    libxl_domid domid = 0;
    libxl_domain_config config = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    fault_add("memory_op.populate_physmap:1:ENOMEM");
    fault_add("domctl.destroydomain:EBUSY");
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), ERROR_NO_MEMORY_FOR_GUEST);
    assert_false(is_listed(s, &config.c_info.uuid, &domid)); /* the context tries again */
    assert_int_equal(libxl_ctx_free(ctx), 0);
    faults_clear();
    assert_true(is_listed(s, &config.c_info.uuid, &domid));
    assert_true(domain_exists(domid, &config.c_info.uuid));
    assert_int_equal(remove_it(s, &config.c_info.uuid), 0);
    assert_false(domain_exists(domid, &config.c_info.uuid));
    libxl_domain_config_dispose(&config);
}

static const body bodies[] = {
    BODY(the_domain_of_a_killed_process_is_listed_and_removed, RUNS_ONCE),
    BODY(a_mark_without_a_domain_is_listed_and_removed),
    BODY(a_domain_without_nodes_is_removed),
    BODY(a_domain_of_another_toolstack_is_left_alone),
    BODY(marks_of_elsewhere_are_left_alone, RUNS_ONCE),
    BODY(many_marks_are_listed, RUNS_ONCE),
    BODY(a_complete_domain_has_no_mark),
    BODY(a_domain_that_was_given_up_is_listed, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
