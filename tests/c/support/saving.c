/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the file with the saved domain, the descriptors, and a handle to the hypervisor,
 * from saving_begin() to saving_end(). */
#include "saving.h"

#include "harness.h"

#include "_libxl_operations_internal.h"
#include "transfer_messages.h"

#include <libxl_utils.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <xenctrl.h>

#define SAVED   "/run/saved"
#define IMAGE   "/run/disk.img"
#define PROGRAM "aioxen-transfer"

enum { LIMIT_MS = 20000, COMM_SIZE = 16, HVM_KB = 24 << 10 };

static xc_interface *xch;
static int sink, source, receiver, sender;

bool saving_is(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_SUSPEND_ONLY || operation == LIBXL__OP_DOMAIN_RESUME ||
           operation == LIBXL__OP_DOMAIN_SUSPEND_GUEST || operation == LIBXL__OP_DOMAIN_RESUME_UNFINISHED ||
           operation == LIBXL__OP_DOMAIN_RECOVER || operation == LIBXL__OP_DOMAIN_SUSPEND ||
           operation == LIBXL__OP_DOMAIN_SAVE || operation == LIBXL__OP_DOMAIN_RESTORE ||
           operation == LIBXL__OP_DOMAIN_RESTORE_INCOMING || operation == LIBXL__OP_DOMAIN_MIGRATE ||
           operation == LIBXL__OP_DOMAIN_RECEIVE || operation == LIBXL__OP_DEVICE_DISK_CHECK;
}

/* Makes a guest that runs. Disposes of its configuration. */
static libxl_domid create(libxl_ctx *ctx, libxl_domain_config *config)
{
    libxl_domid domid;
    const int rc = libxl_domain_create_new(ctx, config, &domid, NULL, NULL);
    if (rc)
        fail_msg("creating a guest to save failed: %d: %s", rc, libxl_error_message());
    assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    libxl_domain_config_dispose(config);
    return domid;
}

static void add_disk(libxl_domain_config *config, const char *vdev)
{
    const int fd = open(IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
    config->disks = malloc(sizeof(*config->disks));
    config->num_disks = 1;
    libxl_device_disk_init(config->disks);
    config->disks->vdev = strdup(vdev);
    config->disks->pdev_path = strdup(IMAGE);
}

libxl_domid saving_hvm_guest(libxl_ctx *ctx, bool with_disk)
{
    libxl_domain_config config = guest_config_pvh("l");
    libxl_domain_build_info_dispose(&config.b_info);
    libxl_domain_build_info_init(&config.b_info);
    config.c_info.type = LIBXL_DOMAIN_TYPE_HVM;
    libxl_domain_build_info_init_type(&config.b_info, LIBXL_DOMAIN_TYPE_HVM);
    config.b_info.max_memkb = config.b_info.target_memkb = HVM_KB;
    config.b_info.u.hvm.vga.kind = LIBXL_VGA_INTERFACE_TYPE_NONE;
    if (with_disk)
        add_disk(&config, "xvde"); /* not emulated, because an emulated IDE disk cannot be read only */
    return create(ctx, &config);
}

/* Makes a PVH guest. */
static libxl_domid new_guest(libxl_ctx *ctx, const char *command_line, bool with_disk)
{
    libxl_domain_config config = guest_config_pvh(command_line);
    if (with_disk)
        add_disk(&config, "xvda");
    return create(ctx, &config);
}

libxl_domid saving_guest(libxl_ctx *ctx, const char *command_line)
{
    return new_guest(ctx, command_line, false);
}

void saving_begin(void)
{
    static const char answers[] = "xl migration receiver ready, send binary domain data.\n"
                                  "0011{\"error\":0}"
                                  "domain received, ready to unpause\0"
                                  "my copy unpause results are as follows\0";
    /* The test programs of unit/ contain the library, so the program is not found beside a library. */
    setenv("AIOXEN_TRANSFER", "build/" PROGRAM, 0);
    xch = xc_interface_open(NULL, NULL, 0);
    sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    source = open(SAVED, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    receiver = memfd_create("receiver", MFD_CLOEXEC);
    sender = memfd_create("sender", MFD_CLOEXEC);
    assert_true(xch && sink >= 0 && source >= 0 && receiver >= 0 && sender >= 0);
    /* The last message ends with a zero and a status. The zero that ends `answers` is the status 0: success. */
    assert_int_equal(write(receiver, answers, sizeof(answers)), sizeof(answers));
}

void saving_end(void)
{
    close(sender);
    close(receiver);
    close(source);
    close(sink);
    xc_interface_close(xch);
    unlink(SAVED);
}

void saving_prepare(libxl_ctx *ctx)
{
    if (lseek(source, 0, SEEK_END) > 0)
        return;
    const libxl_domid domid = new_guest(ctx, "l", true);
    const int rc = libxl_domain_save(ctx, domid, source, 0, NULL, NULL);
    if (rc)
        fail_msg("saving a guest failed: %d: %s", rc, libxl_error_message());
    guest_destroy(ctx, domid);
}

int saving_sink(void)
{
    return sink;
}

int saving_source(void)
{
    lseek(source, 0, SEEK_SET);
    return source;
}

int saving_receiver(void)
{
    lseek(receiver, 0, SEEK_SET);
    return receiver;
}

/* Writes a request to receive the saved domain. Returns its size. */
static size_t write_request(void)
{
    static const char start[] = "{\"memory_kb\":1024,\"config\":";
    libxl__xl_header header;
    uint32_t length;
    assert_int_equal(pread(source, &header, sizeof(header), 0), sizeof(header));
    assert_int_equal(pread(source, &length, sizeof(length), sizeof(header)), sizeof(length));
    char *json = malloc(sizeof(start) + length);
    assert_non_null(json);
    strcpy(json, start);
    char *config = json + strlen(start);
    assert_int_equal(pread(source, config, length, sizeof(header) + sizeof(length)), length);
    /* The brace takes the place of the zero that ends the configuration. */
    strcpy(config + strlen(config), "}");
    header = (libxl__xl_header){.magic = LIBXL__REQUEST_MAGIC,
                                .byte_order = LIBXL__XL_BYTE_ORDER,
                                .optional_size = (uint32_t)strlen(json)};
    assert_int_equal(write(sender, &header, sizeof(header)), sizeof(header));
    assert_int_equal(write(sender, json, strlen(json)), strlen(json));
    free(json);
    return sizeof(header) + header.optional_size;
}

int saving_sender(void)
{
    static const char go[] = "domain is yours, you are cleared to unpause";
    if (!lseek(sender, 0, SEEK_END)) {
        const off_t request = (off_t)write_request(), saved = lseek(source, 0, SEEK_END);
        off_t from = 0;
        while (from < saved)
            assert_true(sendfile(sender, source, &from, (size_t)(saved - from)) > 0);
        assert_int_equal(lseek(sender, 0, SEEK_CUR), request + saved);
        assert_int_equal(write(sender, go, sizeof(go)), sizeof(go));
    }
    lseek(sender, 0, SEEK_SET);
    return sender;
}

/* Stores the state of the domain. Returns whether there is such a domain. */
static bool look(libxl_domid domid, xc_domaininfo_t *info)
{
    return xc_domain_getinfolist(xch, domid, 1, info) == 1 && info->domain == domid;
}

void saving_suspend(libxl_domid domid)
{
    xc_domaininfo_t info;
    if (look(domid, &info) && !(info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying)))
        xc_domain_shutdown(xch, domid, SHUTDOWN_suspend);
}

void saving_ask_reset(libxl_domid domid)
{
    xc_domaininfo_t info;
    if (look(domid, &info) && !(info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying)))
        xc_domain_shutdown(xch, domid, SHUTDOWN_soft_reset);
}

/* Returns whether a process with this id is a program that saves or restores. */
static bool is_program(const char *pid)
{
    char path[300], name[COMM_SIZE] = "";
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t size = read(fd, name, sizeof(name));
    close(fd);
    return size == sizeof(name) && memcmp(name, PROGRAM, sizeof(name) - 1) == 0;
}

static bool is_any_left(void)
{
    bool found = false;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (const struct dirent *entry; !found && (entry = readdir(processes));)
        found = *entry->d_name >= '0' && *entry->d_name <= '9' && is_program(entry->d_name);
    closedir(processes);
    return found;
}

void saving_settle(void)
{
    const uint64_t end = now_ms() + scaled_ms(LIMIT_MS);
    while (is_any_left() && now_ms() < end)
        sleep_ms(2);
    if (is_any_left())
        fail_msg("the program " PROGRAM " is left");
}

void saving_check_runs(libxl_domid domid, const char *what)
{
    xc_domaininfo_t info;
    if (!look(domid, &info))
        fail_msg("%s: the guest is gone", what);
    if (info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_paused | XEN_DOMINF_dying))
        fail_msg("%s: the guest does not run: flags %#x", what, info.flags);
}
