/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scenarios of the sweep in unit/sweep.c. A scenario says how to start an operation, and which guest the
 * operation needs. The rows in operations/ define the scenarios.
 *
 * Owns: the boot loader's file, from scenarios_begin() to scenarios_end().
 */
#include "scenarios.h"

#include "guest.h"
#include "operations.h"
#include "saving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path of a boot loader that chooses the tiny guest's kernel. With a boot loader, all phases of a
 * creation wait. */
static char loader_path[32];

void scenarios_begin(void)
{
    saving_begin();
    strcpy(loader_path, "/run/aioxen-sweep-XXXXXX");
    const int fd = mkstemp(loader_path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd,
                        "#!/bin/sh\n"
                        "for a; do case $a in --output=*) out=${a#*=} ;; --output-directory=*) dir=${a#*=} "
                        ";; esac; done\n"
                        "cp %s $dir/k && printf 'kernel %%s/k\\0' $dir >$out\n",
                        guest_kernel()) > 0);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
}

const char *scenario_loader(void)
{
    return loader_path;
}

void scenarios_end(void)
{
    unlink(loader_path);
    saving_end();
}

bool scenario_is_phase(unsigned operation, unsigned phase, const char *name)
{
    return strcmp(libxl__operations[operation].phases->list[phase].name, name) == 0;
}

/* A phase that waits only in a special case has a row of its own. */
struct scenario scenario_of(unsigned operation, unsigned phase)
{
    const libxl__ao_class *cls = &libxl__operations[operation];
    const struct operation_row *row = operations_row(operation, cls->phases->list[phase].name);
    if (!row || !row->swept)
        row = operations_row(operation, NULL);
    if (row && row->swept)
        return (struct scenario){operation, row->started_by, row->fill, row->guest};
    if (cls->args_size != sizeof(libxl_domid))
        fail_msg("%s: tests/c/support/operations needs a scenario for it", cls->name);
    return (struct scenario){.operation = operation, .started_by = operation, .guest = SCENARIO_ANY_GUEST};
}

static void fill_create_hvm(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    args->in.d_config = scenario_hvm_config();
    args->out.domid = &s->results.domid;
}

struct scenario scenario_of_hvm(unsigned operation)
{
    return (struct scenario){operation, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create_hvm, SCENARIO_NO_GUEST};
}

void scenario_fill(const struct scenario *scenario, struct subject *s, void *args)
{
    if (scenario->fill)
        scenario->fill(s, args);
    else
        *(libxl_domid *)args = s->guest;
}

void scenario_dispose(struct subject *s)
{
    free(s->results.name);
    libxl_blob_dispose(&s->results.value);
    libxl_string_list_dispose(&s->results.names);
    libxl_unfinished_list_dispose(&s->results.unfinished);
    libxl_disk_list_dispose(&s->results.disks);
    libxl_nic_list_dispose(&s->results.nics);
    libxl_p9_list_dispose(&s->results.p9s);
    libxl_vfb_list_dispose(&s->results.vfbs);
    libxl_vkb_list_dispose(&s->results.vkbs);
    libxl_vtpm_list_dispose(&s->results.vtpms);
    libxl_vdispl_list_dispose(&s->results.vdispls);
    libxl_vsnd_list_dispose(&s->results.vsnds);
    libxl_pvcallsif_list_dispose(&s->results.pvcallsifs);
    libxl_channel_list_dispose(&s->results.channels);
    libxl_usbctrl_list_dispose(&s->results.usbctrls);
    libxl_usbdev_list_dispose(&s->results.usbdevs);
    libxl_device_status_list_dispose(&s->results.devices);
    libxl_domain_config_dispose(&s->results.config);
    libxl_domain_counters_list_dispose(&s->results.counters);
    libxl_cpupool_list_dispose(&s->results.pools);
    libxl_pci_list_dispose(&s->results.pcis);
}
