/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for keyboards and virtual TPMs. They list the devices of a guest, find a device by its
 * number or UUID, and return the states of a device. The simulator plays the backends and the guests'
 * drivers. tests/python/test_device_lists.py tests the devices of all classes.
 */
#include "harness.h"
#include "simulation.h"

#include <libxl_utils.h>

#include <stdlib.h>

static void check_paths(const char *backend, const char *backend_kind, const char *frontend, const char *kind,
                        libxl_domid domid, int devid)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u/%d", backend_kind, domid, devid);
    assert_string_equal(backend, path);
    snprintf(path, sizeof(path), "/local/domain/%u/device/%s/%d", domid, kind, devid);
    assert_string_equal(frontend, path);
}

static void wait_connected(scene *s, libxl_domid domid, const char *kind, int devid)
{
    char node[64];
    snprintf(node, sizeof(node), "device/%s/%d/state", kind, devid);
    wait_node(s, domid, node, "4");
}

static void tpms_are_found_by_number_and_uuid(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_vtpm vtpm, found;
    libxl_vtpminfo info;
    libxl_vtpm_list list;
    int count;
    for (int i = 3; i < 5; i++) {
        libxl_device_vtpm_init(&vtpm);
        vtpm.devid = i;
        vtpm.uuid = (libxl_uuid){.uuid = {[15] = (uint8_t)i}};
        assert_int_equal(RUN(s, libxl_device_vtpm_add(s->ctx, domid, &vtpm, how)), 0);
    }
    wait_connected(s, domid, "vtpm", 4);
    assert_int_equal(RUN(s, libxl_domain_list_vtpms(s->ctx, domid, &list, how)), 0);
    assert_int_equal(list.num_devices, 2);
    libxl_vtpm_list_dispose(&list);
    libxl_device_vtpm *all = libxl_device_vtpm_list(s->ctx, domid, &count);
    assert_int_equal(count, 2);
    assert_int_equal(all[0].devid + all[1].devid, 7);
    libxl_device_vtpm_list_free(all, count);

    assert_int_equal(libxl_uuid_to_device_vtpm(s->ctx, domid, &vtpm.uuid, &found), 0);
    assert_int_equal(found.devid, 4);
    assert_int_equal(libxl_device_vtpm_getinfo(s->ctx, domid, &found, &info), 0);
    check_paths(info.backend, "vtpm", info.frontend, "vtpm", domid, 4);
    assert_int_equal(info.state, 4);
    assert_int_equal(info.evtch, 10);
    assert_int_equal(info.rref, 14);
    assert_int_equal(info.frontend_id, domid);
    assert_memory_equal(&info.uuid, &vtpm.uuid, sizeof(libxl_uuid));
    libxl_vtpminfo_dispose(&info);
    libxl_device_vtpm_dispose(&found);
    assert_int_equal(libxl_devid_to_device_vtpm(s->ctx, domid, 3, &found), 0);
    assert_int_equal(found.uuid.uuid[15], 3);
    libxl_device_vtpm_dispose(&found);

    vtpm.devid = 5;
    vtpm.uuid.uuid[0] = 1;
    assert_int_equal(libxl_devid_to_device_vtpm(s->ctx, domid, 5, &found), ERROR_NOTFOUND);
    assert_int_equal(libxl_devid_to_device_vtpm(s->ctx, domid, -1, &found), ERROR_NOTFOUND);
    assert_int_equal(libxl_uuid_to_device_vtpm(s->ctx, domid, &vtpm.uuid, &found), ERROR_NOTFOUND);
    assert_int_equal(libxl_device_vtpm_getinfo(s->ctx, domid, &vtpm, &info), ERROR_NOTFOUND);
    destroy(s, domid);
}

static void keyboards_are_found_by_number(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_vkb vkb, found;
    libxl_vkbinfo info;
    libxl_vkb_list list;
    int count;
    libxl_device_vkb_init(&vkb);
    vkb.devid = 2;
    vkb.feature_abs_pointer = true;
    vkb.width = 800;
    assert_int_equal(RUN(s, libxl_device_vkb_add(s->ctx, domid, &vkb, how)), 0);
    wait_connected(s, domid, "vkbd", 2);
    assert_int_equal(RUN(s, libxl_domain_list_vkbs(s->ctx, domid, &list, how)), 0);
    assert_int_equal(list.num_devices, 1);
    libxl_vkb_list_dispose(&list);
    libxl_device_vkb *all = libxl_device_vkb_list(s->ctx, domid, &count);
    assert_int_equal(count, 1);
    assert_int_equal(all[0].width, 800);
    libxl_device_vkb_list_free(all, count);
    assert_int_equal(libxl_devid_to_device_vkb(s->ctx, domid, 2, &found), 0);
    assert_true(found.feature_abs_pointer);
    assert_false(found.feature_raw_pointer);
    assert_int_equal(libxl_device_vkb_getinfo(s->ctx, domid, &found, &info), 0);
    check_paths(info.backend, "vkbd", info.frontend, "vkbd", domid, 2);
    assert_int_equal(info.state, 4);
    assert_int_equal(info.evtch, 7);
    libxl_vkbinfo_dispose(&info);
    libxl_device_vkb_dispose(&found);
    assert_int_equal(libxl_devid_to_device_vkb(s->ctx, domid, 0, &found), ERROR_NOTFOUND);
    destroy(s, domid);
}

/* Checks the result of libxl_device_channel_getinfo() for a channel whose node `tty` has the value `tty`.
 * `rc` is the expected result. */
static void check_terminal(scene *s, libxl_domid domid, const libxl_device_channel *channel, const char *tty,
                           int rc)
{
    char path[64];
    libxl_channelinfo info;
    snprintf(path, sizeof(path), "/local/domain/%u/device/console/%d/tty", domid, channel->devid);
    fixture_write(path, tty);
    assert_int_equal(libxl_device_channel_getinfo(s->ctx, domid, channel, &info), rc);
    assert_null(info.u.pty.path);
    if (rc)
        assert_non_null(strstr(libxl_error_message(), "has no terminal below /dev/pts: '/etc/passwd'"));
    libxl_channelinfo_dispose(&info);
}

static void the_terminal_of_a_channel_is_told(scene *s)
{
    libxl_domain_config config = guest_config("b");
    libxl_device_channel wanted;
    libxl_channelinfo info;
    libxl_domid domid;
    int count;
    config.channels = calloc(2, sizeof(*config.channels));
    config.num_channels = 2;
    for (int i = 0; i < 2; i++)
        libxl_device_channel_init_connection(&config.channels[i], i ? LIBXL_CHANNEL_CONNECTION_SOCKET
                                                                    : LIBXL_CHANNEL_CONNECTION_PTY);
    config.channels[0].name = strdup("terminal");
    config.channels[1].name = strdup("socket");
    config.channels[1].u.socket.path = strdup("/run/test-channel");
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    libxl_device_channel *all = libxl_device_channel_list(s->ctx, domid, &count);
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        wait_connected(s, domid, "console", all[i].devid);
        assert_int_equal(libxl_device_channel_getinfo(s->ctx, domid, &all[i], &info), 0);
        assert_int_equal(info.connection, all[i].connection);
        assert_int_equal(info.evtch, 9);
        check_paths(info.backend, "console", info.frontend, "console", domid, all[i].devid);
        if (info.connection == LIBXL_CHANNEL_CONNECTION_PTY)
            assert_memory_equal(info.u.pty.path, "/dev/pts/", 9);
        libxl_channelinfo_dispose(&info);
        if (all[i].connection == LIBXL_CHANNEL_CONNECTION_PTY) {
            check_terminal(s, domid, &all[i], "", 0); /* QEMU has not made the terminal yet */
            check_terminal(s, domid, &all[i], "/etc/passwd", ERROR_FAIL);
        }
    }
    libxl_device_channel_list_free(all, count);
    libxl_device_channel_init(&wanted);
    wanted.devid = 3;
    assert_int_equal(libxl_device_channel_getinfo(s->ctx, domid, &wanted, &info), ERROR_NOTFOUND);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(tpms_are_found_by_number_and_uuid, ALONE | SLOW),
    BODY(keyboards_are_found_by_number, ALONE | SLOW),
    BODY(the_terminal_of_a_channel_is_told, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
