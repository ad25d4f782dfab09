/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unfinished domains, which have a mark (src/xen/marks.h). The tests check which of these domains the library
 * lists. They also check that the removal of such a domain leaves other domains and nodes unchanged. */
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
    snprintf(path, LIBXL__MARK_PATH, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
}

/* Writes a mark for the domain, as if this process had given the domain up. `handle` NULL: the mark has no
 * HANDLE. marks.h describes marks and their words. */
static void mark(scene *s, const libxl_uuid *uuid, uint32_t domid, const libxl_uuid *handle)
{
    char path[LIBXL__MARK_PATH], text[LIBXL__MARK_TEXT];
    libxl__ctx_lock(s->ctx);
    libxl__mark_text(s->ctx, true, domid, handle, text);
    libxl__ctx_unlock(s->ctx);
    path_of(uuid, path);
    fixture_write(path, text);
}

/* Returns the mark of this UUID, or NULL if there is no mark. The caller frees the mark. */
static char *read_mark(const libxl_uuid *uuid)
{
    char path[LIBXL__MARK_PATH];
    path_of(uuid, path);
    return fixture_node(path);
}

static bool has_mark(const libxl_uuid *uuid)
{
    char *text = read_mark(uuid);
    free(text);
    return text != NULL;
}

/* Returns whether the UUID is listed. If it is, stores the listed domid in *domid. */
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
    /* The domain is not listed, because its process still creates it. */
    assert_false(is_listed(s, &uuid, &domid));
    assert_int_equal(remove_it(s, &uuid), ERROR_NOTFOUND);
    assert_non_null(strstr(last_message(s), "is creating"));
    kill(child, SIGKILL);
    while (!is_listed(s, &uuid, &domid)) /* The domain is listed even while the process is a zombie. */
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

/* The configuration has no UUID. So only the mark of the first phase names the domain. */
static void the_domain_with_a_random_uuid_is_listed_and_removed(scene *s)
{
    libxl_domid domid, before = guest(s, "b", false);
    libxl_domain_config config = guest_config("b");
    libxl_unfinished_list list;
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
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    simulate("xenconsoled cont");
    assert_int_equal(RUN(s, libxl_domain_list_unfinished(s->ctx, &list, how)), 0);
    assert_int_equal(list.num_domains, 1);
    assert_int_equal(list.domains[0].domid, before + 1);
    const libxl_uuid uuid = list.domains[0].uuid;
    libxl_unfinished_list_dispose(&list);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(domain_exists(before + 1, &uuid));
    libxl_domain_config_dispose(&config);
    destroy(s, before);
}

/* Waits until the mark has this domid. */
static void wait_marked(const libxl_uuid *uuid, libxl_domid domid)
{
    for (uint64_t end = now_ms() + scaled_ms(5000);; sleep_ms(1)) {
        libxl_domid marked;
        char *text = read_mark(uuid);
        const bool has_domid = text && sscanf(text, "%*s %*s %*s %*s %u", &marked) == 1;
        free(text);
        if (has_domid && marked == domid)
            return;
        if (now_ms() > end)
            fail_msg("the mark does not have the domid %u", domid);
    }
}

/* Kills a process while its creation waits in this hypercall. The domain has no nodes yet. The configuration
 * has a UUID. */
static void kill_during(scene *s, const char *hypercall)
{
    libxl_domid found, before = guest(s, "b", false);
    libxl_domain_config config = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    const libxl_uuid uuid = config.c_info.uuid;
    const pid_t child = fork();
    if (!child) {
        libxl_ctx *ctx;
        libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        fault_add(hypercall);
        libxl_domain_create_new(ctx, &config, &found, NULL, NULL);
        _exit(0);
    }
    wait_marked(&uuid, before + 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(libxl_domain_info(s->ctx, NULL, before + 1) == 0);
    assert_true(is_listed(s, &uuid, &found));
    assert_int_equal(found, before + 1);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(has_mark(&uuid));
    assert_int_equal(libxl_domain_info(s->ctx, NULL, before + 1), ERROR_DOMAIN_NOTFOUND);
    libxl_domain_config_dispose(&config);
    destroy(s, before);
}

static void the_bare_domain_of_a_killed_process_is_removed(scene *s)
{
    kill_during(s, "memory_op.populate_physmap:1:20000ms");
}

/* The process is killed before it gives the domain the UUID of the configuration. */
static void the_domain_without_its_uuid_is_removed(scene *s)
{
    kill_during(s, "domctl.setdomainhandle:1:20000ms");
}

/* The process was killed after it wrote the mark and before it made the domain. */
static void a_mark_without_a_domain_is_listed_and_removed(scene *s)
{
    libxl_domid domid;
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    mark(s, &uuid, LIBXL_DOMID_INVALID, NULL);
    assert_true(is_listed(s, &uuid, &domid));
    assert_int_equal(domid, LIBXL_DOMID_INVALID);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(has_mark(&uuid));
}

/* Makes a domain that has no nodes. */
static libxl_domid add_bare_domain(const libxl_uuid *uuid)
{
    char path[64];
    const libxl_domid domid = add_domain(uuid);
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    fixture_write(path, NULL);
    return domid;
}

/*
 * The domain exists, and none of its nodes was written. Each element of `moments` is a state that the mark
 * and the domain can have when the process ends. has_domid: the mark has the domid. has_uuid: the domain
 * already has the UUID of the configuration; false: it still has the random UUID. has_handle: the mark has
 * the word HANDLE, the random UUID.
 */
static void a_domain_without_nodes_is_removed(scene *s)
{
    static const struct {
        bool has_domid, has_uuid, has_handle;
    } moments[] = {{false, false, true}, {true, false, true}, {true, true, true}, {true, true, false}};
    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        libxl_domid found;
        libxl_uuid uuid, handle;
        libxl_uuid_generate(&uuid);
        libxl_uuid_generate(&handle);
        const libxl_uuid *of_domain = moments[i].has_uuid ? &uuid : &handle;
        const libxl_domid domid = add_bare_domain(of_domain);
        mark(s, &uuid, moments[i].has_domid ? domid : LIBXL_DOMID_INVALID,
             moments[i].has_handle ? &handle : NULL);
        assert_true(is_listed(s, &uuid, &found));
        assert_int_equal(found, domid);
        assert_int_equal(remove_it(s, &uuid), 0);
        assert_false(domain_exists(domid, of_domain));
        assert_false(has_mark(&uuid));
    }
}

/* The domain of a killed creation still has its random UUID. Its mark must not be lost. */
static void a_second_creation_does_not_replace_the_mark(scene *s)
{
    libxl_domid found, domid;
    libxl_uuid uuid, handle;
    libxl_uuid_generate(&uuid);
    libxl_uuid_generate(&handle);
    const libxl_domid bare = add_bare_domain(&handle);
    mark(s, &uuid, LIBXL_DOMID_INVALID, &handle);
    libxl_domain_config config = guest_config("b");
    config.c_info.uuid = uuid;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)),
                     ERROR_DOMAIN_EXISTS);
    assert_non_null(strstr(last_message(s), "the unfinished domain"));
    assert_true(is_listed(s, &uuid, &found));
    assert_int_equal(found, bare);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

/* Another program has made a domain without nodes that has the UUID of the mark. */
static void a_bare_domain_of_another_program_is_left_alone(scene *s)
{
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    const libxl_domid domid = add_bare_domain(&uuid);
    libxl_uuid other;
    libxl_uuid_generate(&other);
    const uint32_t marked[] = {LIBXL_DOMID_INVALID, domid + 1, domid - 1};
    for (size_t i = 0; i < sizeof(marked) / sizeof(*marked); i++) {
        libxl_domid found;
        mark(s, &uuid, marked[i], i ? &other : NULL);
        assert_true(is_listed(s, &uuid, &found));
        assert_int_equal(found, LIBXL_DOMID_INVALID);
        assert_int_equal(remove_it(s, &uuid), 0);
        assert_false(has_mark(&uuid));
        assert_true(domain_exists(domid, &uuid));
    }
    write_domain_nodes(domid, &uuid);
    destroy(s, domid);
}

static bool has_node(const char *path)
{
    char *value = fixture_node(path);
    free(value);
    return value != NULL;
}

/* Another program has destroyed the domain. The nodes of this domain are removed. The nodes of other
 * domains stay. */
static void nodes_of_a_dead_domain_are_removed(scene *s)
{
    enum { DEAD = 30000 };
    libxl_uuid uuid;
    char path[64], vm[64], neighbour[64];
    libxl_domid alive = guest(s, "b", false);
    libxl_uuid_generate(&uuid);
    snprintf(vm, sizeof(vm), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
    snprintf(neighbour, sizeof(neighbour), "/local/domain/%u/vm", alive);
    fixture_write(vm, "");
    char *others = fixture_node(neighbour);
    const struct {
        const char *owner, *vm;
    } trees[] = {{LIBXL__TREE_OWNER, vm}, {"", vm}, {LIBXL__TREE_OWNER, others}};
    for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
        snprintf(path, sizeof(path), "/local/domain/%zu", DEAD + i);
        fixture_write(path, trees[i].owner);
        snprintf(path, sizeof(path), "/local/domain/%zu/vm", DEAD + i);
        fixture_write(path, trees[i].vm);
        snprintf(path, sizeof(path), "/libxl/%zu", DEAD + i);
        fixture_write(path, "");
    }
    /* This node of a living domain names the UUID of the dead domain. It must stay. */
    fixture_write(neighbour, vm);
    mark(s, &uuid, LIBXL_DOMID_INVALID, NULL);
    assert_int_equal(remove_it(s, &uuid), 0);
    assert_false(has_mark(&uuid) || has_node(vm));
    for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
        snprintf(path, sizeof(path), "/libxl/%zu", DEAD + i);
        assert_int_equal(has_node(path), i > 0);
        fixture_write(path, NULL);
        snprintf(path, sizeof(path), "/local/domain/%zu", DEAD + i);
        assert_int_equal(has_node(path), i > 0);
        fixture_write(path, NULL);
    }
    assert_true(has_node(neighbour));
    fixture_write(neighbour, others);
    free(others);
    destroy(s, alive);
}

/* Since the mark was written, another toolstack has made a domain with the same UUID. */
static void a_domain_of_another_toolstack_is_left_alone(scene *s)
{
    libxl_domid domid, found;
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    domid = add_domain(&uuid);
    mark(s, &uuid, LIBXL_DOMID_INVALID, &uuid);
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

/* A mark names the process that has made it. A mark is ignored if its process belongs to another boot or
 * namespace, because the library cannot tell whether that process runs. A node whose text is not in the
 * format of a mark is ignored, too. */
static void marks_of_elsewhere_are_left_alone(scene *s)
{
    static const char *const texts[] = {"4194303 1 elsewhere/1 5 - -",
                                        "",
                                        "nonsense",
                                        "-1 2 3 4 5",
                                        "0 0 0 0",
                                        "0 0 0 0 x -",
                                        "0 0 0 0 5x -",
                                        "0 0 0 0 5 x"};
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
        mark(s, &uuids[i], LIBXL_DOMID_INVALID, NULL);
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

/* The context is freed while the hypervisor refuses to destroy the domain. The process goes on, but the
 * domain must be listed. */
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
    assert_false(is_listed(s, &config.c_info.uuid, &domid)); /* The context will try the destruction again. */
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
    BODY(the_domain_with_a_random_uuid_is_listed_and_removed, RUNS_ONCE),
    BODY(the_bare_domain_of_a_killed_process_is_removed, RUNS_ONCE),
    BODY(the_domain_without_its_uuid_is_removed, RUNS_ONCE),
    BODY(a_mark_without_a_domain_is_listed_and_removed),
    BODY(a_domain_without_nodes_is_removed),
    BODY(a_second_creation_does_not_replace_the_mark),
    BODY(a_bare_domain_of_another_program_is_left_alone),
    BODY(nodes_of_a_dead_domain_are_removed, RUNS_ONCE),
    BODY(a_domain_of_another_toolstack_is_left_alone),
    BODY(marks_of_elsewhere_are_left_alone, RUNS_ONCE),
    BODY(many_marks_are_listed, RUNS_ONCE),
    BODY(a_complete_domain_has_no_mark),
    BODY(a_domain_that_was_given_up_is_listed, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
