/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that obeys changes of its memory and of its processors, and sysrq requests. The test needs the
 * simulator, because the real tiny guest has no balloon driver. */
#include "harness.h"

#include <stdlib.h>

static libxl_dominfo info_of(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    return info;
}

static void wait_vcpus(scene *s, libxl_domid domid, unsigned count)
{
    for (int i = 0; i < 1000 && info_of(s, domid).vcpu_online != count; i++)
        sleep_ms(10);
    assert_int_equal(info_of(s, domid).vcpu_online, count);
}

static void assert_node(libxl_domid domid, const char *path, const char *value)
{
    char *found = guest_node(domid, path);
    assert_non_null(found);
    assert_string_equal(found, value);
    free(found);
}

static libxl_domid guest_of(scene *s, libxl_domain_config config)
{
    libxl_domid domid;
    config.b_info.target_memkb = 32 << 10;
    config.b_info.max_memkb = 64 << 10;
    config.b_info.max_vcpus = 2;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

static libxl_domid listening_guest(scene *s)
{
    return guest_of(s, guest_config("l"));
}

static void the_guest_reaches_its_target(scene *s)
{
    uint64_t kb = 0;
    const libxl_domid domid = listening_guest(s);
    assert_int_equal(RUN(s, libxl_domain_set_memory(s->ctx, domid, 48 << 10, false, true, true, &kb, how)),
                     0);
    assert_int_equal(kb, 48 << 10);
    assert_in_range(info_of(s, domid).current_memkb, 47 << 10, 49 << 10);
    assert_int_equal(info_of(s, domid).max_memkb, 49 << 10);
    assert_node(domid, "memory/target", "49152");
    assert_int_equal(RUN(s, libxl_domain_set_memory(s->ctx, domid, -(24 << 10), true, true, true, &kb, how)),
                     0);
    assert_int_equal(kb, 24 << 10);
    assert_in_range(info_of(s, domid).current_memkb, 23 << 10, 25 << 10);
    assert_int_equal(RUN(s, libxl_domain_get_memory_target(s->ctx, domid, &kb, how)), 0);
    assert_int_equal(kb, 24 << 10);
    destroy(s, domid);
}

static void the_pool_of_a_pvh_guest_follows(scene *s)
{
    uint64_t kb;
    const libxl_domid domid = guest_of(s, guest_config_pvh("b"));
    assert_int_equal(RUN(s, libxl_domain_set_memory(s->ctx, domid, 40 << 10, false, true, true, &kb, how)),
                     0);
    /* The domain's memory shows that the pool of populate-on-demand memory has followed the target. */
    assert_in_range(info_of(s, domid).current_memkb, 39 << 10, 41 << 10);
    destroy(s, domid);
}

static void vcpus_go_online_and_offline(scene *s)
{
    uint8_t both = 3, first = 1;
    const libxl_bitmap all = {.size = 1, .map = &both}, one = {.size = 1, .map = &first};
    const libxl_domid domid = listening_guest(s);
    assert_int_equal(RUN(s, libxl_set_vcpuonline(s->ctx, domid, &one, how)), 0);
    wait_vcpus(s, domid, 1);
    assert_int_equal(RUN(s, libxl_set_vcpuonline(s->ctx, domid, &all, how)), 0);
    wait_vcpus(s, domid, 2);
    destroy(s, domid);
}

static void a_sysrq_is_taken(scene *s)
{
    const libxl_domid domid = listening_guest(s);
    assert_int_equal(RUN(s, libxl_domain_send_sysrq(s->ctx, domid, "h", true, how)), 0);
    assert_node(domid, "control/sysrq", "");
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(the_guest_reaches_its_target),
    BODY(the_pool_of_a_pvh_guest_follows),
    BODY(vcpus_go_online_and_offline),
    BODY(a_sysrq_is_taken),
};

HARNESS_MAIN(bodies)
