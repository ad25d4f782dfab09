/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl_domain_core_dump() writes an ELF file. If the operation fails or is aborted, it removes the file.
 * The test needs the simulator's PVH guests. */
#include "harness.h"
#include "simulation.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static libxl_domid guest_to_dump(scene *s)
{
    libxl_domain_config config = guest_config_pvh("b");
    libxl_domid domid;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

static char *path_for(libxl_domid domid)
{
    char *path = NULL;
    assert_true(asprintf(&path, "/tmp/core-of-%u", domid) > 0);
    return path;
}

static void the_memory_is_in_the_file(scene *s)
{
    Elf64_Ehdr header;
    struct stat status;
    const libxl_domid domid = guest_to_dump(s);
    char *path = path_for(domid);
    const int rc = RUN(s, libxl_domain_core_dump(s->ctx, domid, path, how));
    if (rc)
        fail_msg("%d: %s", rc, last_message(s));
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &header, sizeof(header)), sizeof(header));
    assert_memory_equal(header.e_ident, ELFMAG, SELFMAG);
    assert_int_equal(header.e_type, ET_CORE);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(status.st_size > 20 << 20); /* The guest has 20 MiB. */
    close(fd);
    unlink(path);
    free(path);
    destroy(s, domid);
}

static void a_dump_that_fails_leaves_no_file(scene *s)
{
    const libxl_domid domid = guest_to_dump(s);
    char *path = path_for(domid);
    assert_int_equal(RUN(s, libxl_domain_core_dump(s->ctx, domid, "/no/such/folder/core", how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "filename: /no/such/folder/core: No such file"));
    assert_int_equal(RUN(s, libxl_domain_core_dump(s->ctx, domid, "", how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_domain_core_dump(s->ctx, 0x7000, path, how)), ERROR_DOMAIN_NOTFOUND);
    assert_int_not_equal(access(path, F_OK), 0);
    fault_add("domctl.getvcpucontext:*:EIO");
    assert_int_equal(RUN(s, libxl_domain_core_dump(s->ctx, domid, path, how)), ERROR_FAIL);
    faults_clear();
    assert_int_not_equal(access(path, F_OK), 0);
    free(path);
    destroy(s, domid);
}

/* The simulator delays each mapping of the guest's memory, so the dump has not ended when it is aborted. */
static void an_abort_removes_the_file(scene *s)
{
    const libxl_domid domid = guest_to_dump(s);
    char *path = path_for(domid);
    const int rule = fault_add("foreign.map:*:300ms");
    op *o = START(s, libxl_domain_core_dump, s->ctx, domid, path, how);
    fault_wait(s->ctx, rule);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    faults_clear();
    assert_int_not_equal(access(path, F_OK), 0);
    free(path);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(the_memory_is_in_the_file),
    BODY(a_dump_that_fails_leaves_no_file, ALONE),
    BODY(an_abort_removes_the_file, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
