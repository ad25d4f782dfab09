/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. Any thread may call the functions, unlocked; they can block. */
#include "host_pci.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"
#define PCIBACK DRIVERS "/pciback"

enum { PATH_SIZE = LIBXL__SYSFS_DRIVER + 32 };

/* The flag of a region of I/O ports in the file `resource`: IORESOURCE_IO of the kernel. */
enum { REGION_IS_PORTS = 0x100 };

static void name_of(uint32_t sbdf, char bdf[LIBXL__PCI_BDF])
{
    snprintf(bdf, LIBXL__PCI_BDF, LIBXL__PCI_FORMAT, LIBXL__PCI_PARTS(sbdf));
}

bool libxl__pci_parse(const char *name, uint32_t *sbdf)
{
    unsigned segment, bus, device, function;
    int end = 0;
    if (sscanf(name, "%4x:%2x:%2x.%1x%n", &segment, &bus, &device, &function, &end) != 4 || name[end] ||
        device > 0x1f || function > 7)
        return false;
    *sbdf = segment << 16 | bus << 8 | device << 3 | function;
    return true;
}

bool libxl__pci_is_driver(const char *path)
{
    return libxl__sysfs_is_driver(DRIVERS, path);
}

/* ---- reading the kernel's information about PCI devices */

/* Stores the path of the driver's directory in facts->driver. */
static int find_driver(const char *bdf, libxl__pci_facts *facts, char why[LIBXL__SYSFS_WHY])
{
    char device[PATH_SIZE];
    snprintf(device, sizeof(device), DEVICES "/%s", bdf);
    const int rc = libxl__sysfs_driver_of(DRIVERS, device, facts->driver, why);
    facts->assignable = !rc && !strcmp(facts->driver, PCIBACK);
    return rc;
}

static void read_regions(FILE *file, libxl__pci_facts *facts)
{
    unsigned long long start, end, flags;
    for (int i = 0; i < LIBXL__PCI_REGIONS; i++) {
        if (fscanf(file, "0x%llx 0x%llx 0x%llx\n", &start, &end, &flags) != 3)
            return;
        if (end > start)
            facts->regions[i] = (libxl__pci_region){
                .start = start, .size = end - start + 1, .ports = (flags & REGION_IS_PORTS) != 0};
    }
}

int libxl__pci_look(uint32_t sbdf, libxl__pci_facts *facts, char why[LIBXL__SYSFS_WHY])
{
    char bdf[LIBXL__PCI_BDF], path[PATH_SIZE];
    name_of(sbdf, bdf);
    memset(facts, 0, sizeof(*facts));
    snprintf(path, sizeof(path), DEVICES "/%s/resource", bdf);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT || errno == ENOTDIR ? 0 : libxl__sysfs_fail_errno(why, path);
    facts->exists = true;
    read_regions(file, facts);
    fclose(file);
    snprintf(path, sizeof(path), DEVICES "/%s/irq", bdf);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%u", &facts->irq) != 1)
            facts->irq = 0;
        fclose(file);
    }
    return find_driver(bdf, facts, why);
}

static int by_number(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

int libxl__pci_list(uint32_t **list, uint32_t *count, char why[LIBXL__SYSFS_WHY])
{
    uint32_t room = 0, sbdf;
    *list = NULL;
    *count = 0;
    DIR *folder = opendir(PCIBACK);
    if (!folder)
        return errno == ENOENT ? 0 : libxl__sysfs_fail_errno(why, PCIBACK);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!libxl__pci_parse(entry->d_name, &sbdf))
            continue;
        if (*count == room) {
            room = room ? 2 * room : 16;
            uint32_t *larger = realloc(*list, room * sizeof(**list));
            if (!larger) {
                closedir(folder);
                free(*list);
                *list = NULL;
                return libxl__sysfs_fail(why, ERROR_NOMEM, "no memory for the PCI devices");
            }
            *list = larger;
        }
        (*list)[(*count)++] = sbdf;
    }
    closedir(folder);
    if (*count)
        qsort(*list, *count, sizeof(**list), by_number);
    return 0;
}

/* ---- binding PCI devices to pciback, and giving them back */

/* Returns whether pciback has a slot for the device. */
static bool has_slot(const char *bdf)
{
    char line[64];
    bool found = false;
    FILE *file = fopen(PCIBACK "/slots", "re");
    while (file && !found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = 0;
        found = !strcmp(line, bdf);
    }
    if (file)
        fclose(file);
    return found;
}

int libxl__pci_take(uint32_t sbdf, const char *driver, char why[LIBXL__SYSFS_WHY])
{
    char bdf[LIBXL__PCI_BDF], ignored[LIBXL__SYSFS_WHY];
    name_of(sbdf, bdf);
    if (access(PCIBACK, F_OK))
        return libxl__sysfs_fail(why, ERROR_NI, PCIBACK ": %s; the kernel's module xen-pciback is not loaded",
                                 strerror(errno));
    int rc = *driver ? libxl__sysfs_write(why, driver, "unbind", bdf) : 0;
    if (rc)
        return rc;
    const bool had_slot = has_slot(bdf);
    if (!had_slot)
        rc = libxl__sysfs_write(why, PCIBACK, "new_slot", bdf);
    if (!rc)
        rc = libxl__sysfs_write(why, PCIBACK, "bind", bdf);
    if (!rc)
        return 0;
    if (!had_slot)
        libxl__sysfs_write(ignored, PCIBACK, "remove_slot", bdf);
    if (*driver)
        libxl__sysfs_write(ignored, driver, "bind", bdf);
    return rc;
}

int libxl__pci_give_back(uint32_t sbdf, const char *driver, char why[LIBXL__SYSFS_WHY])
{
    char bdf[LIBXL__PCI_BDF], path[PATH_SIZE];
    name_of(sbdf, bdf);
    snprintf(path, sizeof(path), PCIBACK "/%s", bdf);
    int rc = access(path, F_OK) ? 0 : libxl__sysfs_write(why, PCIBACK, "unbind", bdf);
    if (!rc && has_slot(bdf))
        rc = libxl__sysfs_write(why, PCIBACK, "remove_slot", bdf);
    return rc || !*driver ? rc : libxl__sysfs_write(why, driver, "bind", bdf);
}

/* ---- resetting PCI devices, and permitting access to their whole configuration space */

int libxl__pci_reset(uint32_t sbdf, char why[LIBXL__SYSFS_WHY])
{
    char bdf[LIBXL__PCI_BDF], device[PATH_SIZE], path[PATH_SIZE];
    name_of(sbdf, bdf);
    snprintf(device, sizeof(device), DEVICES "/%s", bdf);
    snprintf(path, sizeof(path), DEVICES "/%s/reset", bdf);
    return access(path, F_OK) ? 0 : libxl__sysfs_write(why, device, "reset", "1");
}

int libxl__pci_permit_all(uint32_t sbdf, char why[LIBXL__SYSFS_WHY])
{
    char bdf[LIBXL__PCI_BDF];
    name_of(sbdf, bdf);
    return libxl__sysfs_write(why, PCIBACK, "permissive", bdf);
}
