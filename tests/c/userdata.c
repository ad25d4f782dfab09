/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration and other data that the library stores for a domain. The library writes the data when it
 * makes the domain, and removes the data with the domain. To do so it takes the same lock as libxl. A file is
 * never written in part.
 */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static libxl_uuid uuid_of(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(libxl_domain_get_info(s->ctx, domid, &info, NULL), 0);
    return info.uuid;
}

static void path_of(scene *s, libxl_domid domid, char kind, const char *name, char path[160])
{
    libxl_uuid uuid = uuid_of(s, domid);
    snprintf(path, 160, "/var/lib/xen/userdata-%c.%u." LIBXL_UUID_FMT ".%s", kind, domid,
             LIBXL_UUID_BYTES(uuid), name);
}

static void a_domain_has_its_configuration(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", false);
    libxl_domain_config config;
    char path[160];
    struct stat st;
    path_of(s, domid, 'd', "libxl-json", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(RUN(s, libxl_retrieve_domain_configuration(s->ctx, domid, &config, how)), 0);
    assert_string_equal(config.b_info.cmdline, "b");
    libxl_uuid uuid = uuid_of(s, domid);
    assert_int_equal(libxl_uuid_compare(&config.c_info.uuid, &uuid), 0);
    libxl_domain_config_dispose(&config);
    guest_destroy(s->ctx, domid);
    assert_int_equal(access(path, F_OK), -1);
}

static void live_values_are_those_of_the_nodes(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", false);
    libxl_domain_config config;
    char path[64], name[32];
    snprintf(name, sizeof(name), "renamed-%u", domid);
    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    fixture_write(path, name);
    snprintf(path, sizeof(path), "/local/domain/%u/memory/target", domid);
    fixture_write(path, "12345");
    snprintf(path, sizeof(path), "/local/domain/%u/memory/static-max", domid);
    fixture_write(path, "nonsense");
    assert_int_equal(RUN(s, libxl_retrieve_domain_configuration(s->ctx, domid, &config, how)), 0);
    assert_string_equal(config.c_info.name, name);
    assert_int_equal(config.b_info.target_memkb, 12345);
    assert_true(config.b_info.max_memkb > 0 && config.b_info.max_memkb != LIBXL_MEMKB_DEFAULT);
    libxl_domain_config_dispose(&config);
    guest_destroy(s->ctx, domid);
}

static void a_missing_or_wrong_file_is_an_error(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", false);
    libxl_domain_config config;
    char wanted[160];
    assert_int_equal(libxl_userdata_store(s->ctx, domid, "libxl-json", (const uint8_t *)"{\"c_in", 6), 0);
    assert_int_equal(RUN(s, libxl_retrieve_domain_configuration(s->ctx, domid, &config, how)), ERROR_INVAL);
    libxl_domain_config_dispose(&config);
    assert_int_equal(libxl_userdata_unlink(s->ctx, domid, "libxl-json"), 0);
    assert_int_equal(RUN(s, libxl_retrieve_domain_configuration(s->ctx, domid, &config, how)),
                     ERROR_NOTFOUND);
    snprintf(wanted, sizeof(wanted),
             "domain %u has no stored configuration (retrieve_domain_configuration %u, phase read)", domid,
             domid);
    assert_string_equal(last_message(s), wanted);
    libxl_domain_config_dispose(&config);
    guest_destroy(s->ctx, domid);
}

static void data_is_stored_read_and_removed(scene *s)
{
    static const uint8_t data[] = {1, 0, 255, '\n'};
    libxl_domid domid = guest_new(s->ctx, "b", false);
    uint8_t *read = NULL;
    int length = -1;
    char path[160];
    assert_int_equal(libxl_userdata_retrieve(s->ctx, domid, "mine", &read, &length), 0);
    assert_null(read);
    assert_int_equal(length, 0);
    assert_int_equal(libxl_userdata_store(s->ctx, domid, "mine", data, sizeof(data)), 0);
    assert_int_equal(libxl_userdata_retrieve(s->ctx, domid, "mine", NULL, NULL), 0);
    assert_int_equal(libxl_userdata_retrieve(s->ctx, domid, "mine", &read, &length), 0);
    assert_int_equal(length, sizeof(data));
    assert_memory_equal(read, data, sizeof(data));
    free(read);
    assert_int_equal(libxl_userdata_store(s->ctx, domid, "mine", NULL, 0), 0);
    assert_int_equal(libxl_userdata_retrieve(s->ctx, domid, "mine", &read, &length), 0);
    assert_null(read);
    assert_int_equal(libxl_userdata_store(s->ctx, domid, "mine", data, sizeof(data)), 0);
    path_of(s, domid, 'd', "mine", path);
    assert_int_equal(access(path, F_OK), 0);
    guest_destroy(s->ctx, domid);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(libxl_userdata_store(s->ctx, domid, "mine", data, sizeof(data)), ERROR_DOMAIN_NOTFOUND);
}

static void a_wrong_name_is_refused(scene *s)
{
    static const char *const names[] = {
        "",
        "a/b",
        "../x",
        "a b",
        "\xc3\xa4",
        "domain-userdata-lock",
        "0123456789012345678901234567890123456789012345678901234567890123456"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_int_equal(libxl_userdata_store(s->ctx, 0, names[i], (const uint8_t *)"x", 1), ERROR_INVAL);
    assert_int_equal(libxl_userdata_store(s->ctx, 0, "mine", (const uint8_t *)"x", -1), ERROR_INVAL);
}

/* Takes the lock of a domain's data as libxl does. Returns the lock's descriptor. */
static int take_lock(scene *s, libxl_domid domid, char path[160])
{
    path_of(s, domid, 'l', "domain-userdata-lock", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

struct storing {
    scene *s;
    libxl_domid domid;
    int rc;
    atomic_bool done;
};

static void *store(void *data)
{
    struct storing *storing = data;
    storing->rc = libxl_userdata_store(storing->s->ctx, storing->domid, "mine", (const uint8_t *)"x", 1);
    atomic_store(&storing->done, true);
    return NULL;
}

static void a_change_waits_for_the_lock(scene *s)
{
    char lock_path[160], path[160];
    struct storing storing = {.s = s, .domid = guest_new(s->ctx, "b", false)};
    pthread_t thread;
    path_of(s, storing.domid, 'd', "mine", path);
    int lock = take_lock(s, storing.domid, lock_path);
    assert_int_equal(pthread_create(&thread, NULL, store, &storing), 0);
    sleep_ms(50);
    assert_false(atomic_load(&storing.done));
    assert_int_equal(access(path, F_OK), -1);
    unlink(lock_path);
    close(lock);
    pthread_join(thread, NULL);
    assert_int_equal(storing.rc, 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(lock_path, F_OK), -1);
    guest_destroy(s->ctx, storing.domid);
}

static void a_lock_that_stays_does_not_keep_the_files(scene *s)
{
    char lock_path[160], path[160];
    libxl_domid domid = guest_new(s->ctx, "b", false);
    path_of(s, domid, 'd', "libxl-json", path);
    int lock = take_lock(s, domid, lock_path);
    guest_destroy(s->ctx, domid);
    assert_int_equal(access(path, F_OK), -1);
    unlink(lock_path);
    close(lock);
}

/* During the test, /var/lib/xen is a file system of two pages that is full. */
static void a_full_disk_is_an_error_and_leaves_nothing(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    char page[4096] = {1};
    if (mount("tmpfs", "/var/lib/xen", "tmpfs", 0, "size=8k"))
        skip();
    int fd = open("/var/lib/xen/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof(page)) > 0)
        ;
    close(fd);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), ERROR_FAIL);
    assert_non_null(strstr(last_message(s), "No space left on device"));
    libxl_domain_config_dispose(&config);
    /* The entries are ".", ".." and the file that fills the file system. */
    assert_int_equal(fixture_entries("/var/lib/xen"), 3);
    assert_int_equal(umount("/var/lib/xen"), 0);
}

static const body bodies[] = {
    BODY(a_domain_has_its_configuration),
    BODY(live_values_are_those_of_the_nodes),
    BODY(a_missing_or_wrong_file_is_an_error),
    BODY(data_is_stored_read_and_removed),
    BODY(a_wrong_name_is_refused, RUNS_ONCE),
    BODY(a_change_waits_for_the_lock, RUNS_ONCE),
    BODY(a_lock_that_stays_does_not_keep_the_files, RUNS_ONCE),
    BODY(a_full_disk_is_an_error_and_leaves_nothing, ALONE | RUNS_ONCE),
};

HARNESS_MAIN(bodies)
