/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The batch belongs to the operation. The caller holds the context's lock. */
#include "setting.h"

int libxl__setting_new(libxl__ao *ao, libxl__setting *setting)
{
    setting->batch = libxl__xs_batch_new(ao, ao->subject.number);
    if (!setting->batch)
        return ERROR_NOMEM;
    libxl__xs_require_domain(setting->batch, &ao->subject.uuid);
    return 0;
}

int libxl__setting_run(libxl__ao *ao, libxl__setting *setting)
{
    (void)ao;
    const int rc = libxl__xs_run(setting->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__setting_poll(libxl__ao *ao, libxl__setting *setting)
{
    if (setting->taken_back)
        return ao->stop;
    if (!libxl__xs_done(setting->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_rc(setting->batch);
    if (rc == ERROR_DOMAIN_DESTROYED)
        rc = libxl__ao_fail(ao, rc, "domid: domain %u was destroyed", ao->subject.number);
    else if (rc)
        rc = libxl__xs_result(setting->batch);
    setting->written = !rc;
    return rc;
}

void libxl__setting_stop(libxl__setting *setting)
{
    if (!libxl__xs_take_back(setting->batch))
        return;
    libxl__xs_batch_free(setting->batch);
    setting->batch = NULL;
    setting->taken_back = true;
}
