/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parameters and the saved context of PVH and HVM domains. PV domains do not have these. Lock: machine->lock.
 */
#include "machine.h"

#include <string.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

long do_hvm_op(unsigned int cmd, void *arg)
{
    xen_hvm_param_t *param = arg;
    if (cmd != HVMOP_set_param && cmd != HVMOP_get_param)
        return -ENOSYS;
    struct domain *d = domain_get(param->domid);
    if (!d)
        return -ESRCH;
    if (!domain_is_hvm(d) || param->index >= HVM_NR_PARAMS)
        return -EINVAL;
    if (cmd == HVMOP_set_param)
        d->hvm_params[param->index] = param->value;
    else
        param->value = d->hvm_params[param->index];
    return 0;
}

static void *append(struct domain *d, uint16_t type, uint32_t size)
{
    struct hvm_save_descriptor *record = (void *)(domain_big(d)->hvm_context + d->hvm_context_size);
    *record = (struct hvm_save_descriptor){.typecode = type, .length = size};
    d->hvm_context_size += sizeof *record + size;
    return memset(record + 1, 0, size);
}

/*
 * Makes the saved context of a domain that has never run. It contains only the records that libxenguest
 * needs.
 */
static void make_context(struct domain *d)
{
    HVM_SAVE_TYPE(HEADER) *header = append(d, HVM_SAVE_CODE(HEADER), sizeof *header);
    header->magic = HVM_FILE_MAGIC;
    header->version = HVM_FILE_VERSION;
    HVM_SAVE_TYPE(MTRR) *mtrr = append(d, HVM_SAVE_CODE(MTRR), sizeof *mtrr);
    mtrr->msr_mtrr_cap = 0x508; /* eight variable ranges, fixed ranges, and write combining */
    append(d, HVM_SAVE_CODE(END), 0);
}

long hvm_get_context(struct domain *d, struct xen_domctl_hvmcontext *context)
{
    if (!domain_is_hvm(d))
        return -EINVAL;
    if (!d->hvm_context_size)
        make_context(d);
    uint32_t room = context->size;
    context->size = d->hvm_context_size;
    if (!context->buffer.p)
        return 0;
    if (room < d->hvm_context_size)
        return -ENOSPC;
    memcpy(context->buffer.p, domain_big(d)->hvm_context, d->hvm_context_size);
    return 0;
}

long hvm_set_context(struct domain *d, const struct xen_domctl_hvmcontext *context)
{
    if (!domain_is_hvm(d))
        return -EINVAL;
    if (context->size > HVM_CONTEXT_MAX)
        return -ENOSPC;
    memcpy(domain_big(d)->hvm_context, context->buffer.p, context->size);
    d->hvm_context_size = context->size;
    if (!d->online_vcpus)
        d->online_vcpus = 1;
    return 0;
}
