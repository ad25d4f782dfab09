/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, memory, processors and requests of domains that run. The tests check which nodes the library
 * writes, and how the guest reacts. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include <libxl_utils.h>

static const libxl_domid UNKNOWN = 0x7000;

static libxl_domid guest_of(scene *s, libxl_domain_config config)
{
    libxl_domid domid;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

/* Creates a guest with 32 MiB and two vcpus. The guest may have up to 64 MiB. The guest
 * ignores all requests. */
static libxl_domid large_guest(scene *s)
{
    libxl_domain_config config = guest_config("b");
    config.b_info.target_memkb = 32 << 10;
    config.b_info.max_memkb = 64 << 10;
    config.b_info.max_vcpus = 2;
    return guest_of(s, config);
}

static libxl_dominfo info_of(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    return info;
}

static void assert_node(libxl_domid domid, const char *path, const char *value)
{
    char *found = guest_node(domid, path);
    assert_non_null(found);
    assert_string_equal(found, value);
    free(found);
}

static char *new_name(const char *prefix, libxl_domid domid)
{
    char *name = NULL;
    assert_true(asprintf(&name, "%s%u", prefix, domid) > 0);
    return name;
}

/* ---- names */

static void a_domain_is_renamed(scene *s)
{
    libxl_domid found;
    char path[80];
    const libxl_domid domid = guest(s, "b", true);
    char *name = new_name("renamed", domid), *again = new_name("again", domid);
    const libxl_dominfo info = info_of(s, domid);
    assert_int_equal(RUN(s, libxl_domain_set_name(s->ctx, domid, name, NULL, how)), 0);
    assert_node(domid, "name", name);
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT "/name", LIBXL_UUID_BYTES(info.uuid));
    char *of_vm = fixture_node(path);
    assert_string_equal(of_vm, name);
    free(of_vm);
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, name, &found, how)), 0);
    assert_int_equal(found, domid);
    assert_int_equal(RUN(s, libxl_domain_set_name(s->ctx, domid, again, again, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "old_name: "));
    assert_node(domid, "name", name);
    assert_int_equal(RUN(s, libxl_domain_set_name(s->ctx, domid, again, name, how)), 0);
    assert_node(domid, "name", again);
    destroy(s, domid);
    free(name);
    free(again);
}

static void a_name_in_use_is_refused(scene *s)
{
    const libxl_domid domid = guest(s, "b", false), other = guest(s, "b", false);
    char *before = guest_node(domid, "name"), *taken = guest_node(other, "name");
    assert_int_equal(RUN(s, libxl_domain_set_name(s->ctx, domid, taken, NULL, how)), ERROR_DOMAIN_EXISTS);
    assert_non_null(strstr(last_message(s), taken));
    assert_node(domid, "name", before);
    /* The new name of a domain may equal its old name. */
    assert_int_equal(RUN(s, libxl_domain_set_name(s->ctx, domid, before, NULL, how)), 0);
    const char *const wrong[] = {"", "a/b", "17", "a\nb"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(RUN(s, libxl_domain_set_name(s->ctx, domid, wrong[i], NULL, how)), ERROR_INVAL);
    assert_node(domid, "name", before);
    free(before);
    free(taken);
    destroy(s, domid);
    destroy(s, other);
}

static void two_renamings_to_one_name_do_not_both_succeed(scene *s)
{
    const libxl_domid one = guest(s, "b", false), two = guest(s, "b", false);
    char *name = new_name("both", one);
    op *first = START(s, libxl_domain_set_name, s->ctx, one, name, NULL, how);
    op *second = START(s, libxl_domain_set_name, s->ctx, two, name, NULL, how);
    const int rc = op_result(first), other = op_result(second);
    assert_true((rc == 0) + (other == 0) == 1);
    assert_true(rc == ERROR_DOMAIN_EXISTS || other == ERROR_DOMAIN_EXISTS);
    free(name);
    destroy(s, one);
    destroy(s, two);
}

/* ---- memory */

static void without_a_wait_the_guest_may_ignore_it(scene *s)
{
    uint64_t kb;
    libxl_domain_config config = guest_config("b");
    config.b_info.target_memkb = 32 << 10;
    const libxl_domid domid = guest_of(s, config);
    assert_int_equal(RUN(s, libxl_domain_set_memory(s->ctx, domid, 24 << 10, false, false, false, &kb, how)),
                     0);
    assert_node(domid, "memory/target", "24576");
    /* The operation has not changed the memory limit in the hypervisor. */
    assert_int_equal(info_of(s, domid).max_memkb, 33 << 10);
    assert_int_equal(info_of(s, domid).current_memkb, 32 << 10);
    destroy(s, domid);
}

static void targets_out_of_range_are_refused(scene *s)
{
    uint64_t kb;
    const libxl_domid domid = large_guest(s);
    const struct {
        int64_t target;
        bool relative;
    } wrong[] = {{65 << 10, false},   {0, false},        {-1, false},       {33 << 10, true},
                 {-(33 << 10), true}, {INT64_MAX, true}, {INT64_MIN, false}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(RUN(s, libxl_domain_set_memory(s->ctx, domid, wrong[i].target, wrong[i].relative,
                                                        true, true, &kb, how)),
                         ERROR_INVAL);
        assert_non_null(strstr(last_message(s), "target_memkb: "));
    }
    assert_node(domid, "memory/target", "32768");
    assert_int_equal(info_of(s, domid).max_memkb, 33 << 10);
    assert_int_equal(RUN(s, libxl_domain_set_memory(s->ctx, 0, 1 << 10, false, true, false, &kb, how)),
                     ERROR_INVAL);
    destroy(s, domid);
}

static void an_abort_gives_up_the_wait_only(scene *s)
{
    uint64_t kb;
    libxl_domain_config config = guest_config("b");
    config.b_info.target_memkb = 32 << 10;
    const libxl_domid domid = guest_of(s, config);
    op *o = START(s, libxl_domain_set_memory, s->ctx, domid, 24 << 10, false, true, true, &kb, how);
    wait_node(s, domid, "memory/target", "24576");
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    const int rc = op_result(o);
    assert_true(rc == ERROR_ABORTED);
    assert_node(domid, "memory/target", "24576");
    destroy(s, domid);
}

static void a_destruction_ends_the_wait(scene *s)
{
    uint64_t kb;
    libxl_domain_config config = guest_config("b");
    config.b_info.target_memkb = 32 << 10;
    const libxl_domid domid = guest_of(s, config);
    op *o = START(s, libxl_domain_set_memory, s->ctx, domid, 24 << 10, false, true, true, &kb, how);
    wait_node(s, domid, "memory/target", "24576");
    destroy(s, domid);
    assert_int_equal(op_result(o), ERROR_DOMAIN_DESTROYED);
}

static void the_maximum_is_set(scene *s)
{
    const libxl_domid domid = large_guest(s);
    assert_int_equal(RUN(s, libxl_domain_set_max_memory(s->ctx, domid, 50 << 10, how)), 0);
    assert_node(domid, "memory/static-max", "51200");
    assert_int_equal(info_of(s, domid).max_memkb, 51 << 10);
    assert_int_equal(RUN(s, libxl_domain_set_max_memory(s->ctx, domid, 20 << 10, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "max_memkb: "));
    assert_node(domid, "memory/static-max", "51200");
    destroy(s, domid);
}

/* ---- processors and requests */

static void vcpus_go_online_and_offline(scene *s)
{
    uint8_t both = 3, first = 1, second = 2, third = 5;
    const libxl_bitmap all = {.size = 1, .map = &both}, one = {.size = 1, .map = &first};
    const libxl_bitmap no_first = {.size = 1, .map = &second}, no_such = {.size = 1, .map = &third};
    const libxl_domid domid = large_guest(s);
    assert_int_equal(RUN(s, libxl_set_vcpuonline(s->ctx, domid, &one, how)), 0);
    assert_node(domid, "cpu/0/availability", "online");
    assert_node(domid, "cpu/1/availability", "offline");
    assert_int_equal(RUN(s, libxl_set_vcpuonline(s->ctx, domid, &all, how)), 0);
    assert_node(domid, "cpu/1/availability", "online");
    assert_int_equal(RUN(s, libxl_set_vcpuonline(s->ctx, domid, &no_first, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_set_vcpuonline(s->ctx, domid, &no_such, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "has no vcpu 2"));
    destroy(s, domid);
}

static void a_sysrq_that_is_not_taken_is_withdrawn(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(RUN(s, libxl_domain_send_sysrq(s->ctx, domid, "", true, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_domain_send_sysrq(s->ctx, domid, "hh", true, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "sysrq: "));
    op *o = START(s, libxl_domain_send_sysrq, s->ctx, domid, "h", true, how);
    wait_node(s, domid, "control/sysrq", "h");
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_node(domid, "control/sysrq", "");
    assert_int_equal(RUN(s, libxl_domain_send_sysrq(s->ctx, domid, "s", false, how)), 0);
    assert_node(domid, "control/sysrq", "s");
    destroy(s, domid);
}

static void an_unknown_domain_is_named(scene *s)
{
    uint64_t kb;
    uint8_t first = 1;
    const libxl_bitmap one = {.size = 1, .map = &first};
#define REFUSED(call)                                                                                        \
    assert_int_equal(RUN(s, call), ERROR_DOMAIN_NOTFOUND);                                                   \
    assert_non_null(strstr(last_message(s), "domid: there is no domain 28672"))
    REFUSED(libxl_domain_set_name(s->ctx, UNKNOWN, "nobody", NULL, how));
    REFUSED(libxl_domain_get_memory_target(s->ctx, UNKNOWN, &kb, how));
    REFUSED(libxl_domain_set_memory(s->ctx, UNKNOWN, 1 << 20, false, true, true, &kb, how));
    REFUSED(libxl_domain_set_max_memory(s->ctx, UNKNOWN, 1 << 20, how));
    REFUSED(libxl_set_vcpuonline(s->ctx, UNKNOWN, &one, how));
    REFUSED(libxl_domain_send_sysrq(s->ctx, UNKNOWN, "h", true, how));
#undef REFUSED
}

static const body bodies[] = {
    BODY(a_domain_is_renamed),
    BODY(a_name_in_use_is_refused),
    BODY(two_renamings_to_one_name_do_not_both_succeed, ASYNCHRONOUS),
    BODY(without_a_wait_the_guest_may_ignore_it),
    BODY(targets_out_of_range_are_refused),
    BODY(an_abort_gives_up_the_wait_only, ASYNCHRONOUS),
    BODY(a_destruction_ends_the_wait, ASYNCHRONOUS),
    BODY(the_maximum_is_set),
    BODY(vcpus_go_online_and_offline),
    BODY(a_sysrq_that_is_not_taken_is_withdrawn, ASYNCHRONOUS),
    BODY(an_unknown_domain_is_named),
};

HARNESS_MAIN(bodies)
